package orders

import "github.com/order-tracking/order-tracking/internal/domain"

// The Check methods say everything that is wrong with an input and do nothing. They
// are for a transport whose request is wrong in form already, so that it can report both
// at once; a request that goes through needs no check of its own.

// CheckDraft checks what Create takes.
func (s *Service) CheckDraft(d domain.Draft) error {
	_, err := d.Normalize(s.PhoneRegion)
	return err
}

// CheckStatus checks what UpdateStatus takes.
func (s *Service) CheckStatus(in StatusChange) error {
	_, err := new(domain.Order).Move(in.Status, in.Proof, in.by(domain.By{Now: s.Clock.Now()}))
	return onlyInvalid(err)
}

// CheckEdit checks what Edit takes.
func (s *Service) CheckEdit(in domain.Edit) error {
	_, err := new(domain.Order).Edit(in, s.PhoneRegion, domain.By{Now: s.Clock.Now()})
	return onlyInvalid(err)
}

// CheckNotice checks what Notify takes.
func (s *Service) CheckNotice(in Notice) error { return in.validate() }

// onlyInvalid drops errors that depend on the order.
func onlyInvalid(err error) error {
	if domain.CodeOf(err) != domain.CodeValidationFailed {
		return nil
	}
	return err
}
