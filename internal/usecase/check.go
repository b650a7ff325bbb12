package usecase

import "github.com/order-tracking/order-tracking/internal/domain"

// The Check methods say everything that is wrong with an input and do nothing. They
// are for a door whose request is wrong in form already, so that it can report both
// at once; a request that goes through needs no check of its own.

// CheckDraft checks what Create takes.
func (u *Orders) CheckDraft(d domain.Draft) error {
	_, err := d.Normalize(u.PhoneRegion)
	return err
}

// CheckStatus checks what UpdateStatus takes.
func (u *Orders) CheckStatus(in StatusChange) error {
	_, err := new(domain.Order).Move(in.Status, in.Proof, in.by(domain.By{Now: u.Clock.Now()}))
	return onlyInvalid(err)
}

// CheckEdit checks what Edit takes.
func (u *Orders) CheckEdit(in domain.Edit) error {
	_, err := new(domain.Order).Edit(in, u.PhoneRegion, domain.By{Now: u.Clock.Now()})
	return onlyInvalid(err)
}

// CheckNotice checks what Notify takes.
func (u *Orders) CheckNotice(in Notice) error { return in.validate() }

// CheckEdit checks what Edit takes or, for a new courier, Create.
func (u *Couriers) CheckEdit(in domain.CourierEdit, isNew bool) error {
	if !isNew && in.Name == nil {
		in.Name = new("-")
	}
	_, err := domain.NewCourier(in, u.PhoneRegion, u.Clock.Now())
	return err
}

// onlyInvalid drops errors that depend on the order.
func onlyInvalid(err error) error {
	if domain.CodeOf(err) != domain.CodeValidationFailed {
		return nil
	}
	return err
}
