package orders

import "github.com/order-tracking/order-tracking/internal/domain"

// The Check methods report every fault of an input and change nothing. A transport calls them when a request is malformed,
// to report both kinds of errors at once; a well-formed request needs no separate check.

// CheckDraft checks the input of Create.
func (s *Service) CheckDraft(d domain.Draft) error {
	_, err := d.Normalize(s.PhoneRegion)
	return err
}

// CheckStatus checks the input of UpdateStatus.
func (s *Service) CheckStatus(in StatusChange) error {
	by := in.by(domain.By{Now: s.Clock.Now()})
	_, err := new(domain.Order).Collect(in.Status, in.Received, by)
	if err == nil {
		_, err = new(domain.Order).Move(in.Status, in.Proof, by)
	}
	return onlyInvalid(err)
}

// CheckEdit checks the input of Edit.
func (s *Service) CheckEdit(in domain.Edit) error {
	_, err := new(domain.Order).Edit(in, s.PhoneRegion, domain.By{Now: s.Clock.Now()})
	return onlyInvalid(err)
}

// onlyInvalid drops errors that depend on the order.
func onlyInvalid(err error) error {
	if domain.CodeOf(err) != domain.CodeValidationFailed {
		return nil
	}
	return err
}
