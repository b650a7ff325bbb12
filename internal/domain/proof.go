package domain

import (
	"slices"
	"time"
)

// Proof is the evidence that goods changed hands, as it is handed in.
type Proof struct {
	ID        string `json:"id,omitempty" format:"uuid" doc:"the client's own, a UUIDv7: a repeat gets the first answer, however late it comes"`
	Photo     []byte `json:"photo,omitempty" doc:"a JPEG or PNG image of at most 8 MiB, in base64"`
	Signature []byte `json:"signature,omitempty" doc:"an image like the photo"`
	PIN       string `json:"pin,omitempty" maxLength:"32" doc:"what the recipient told; five wrong ones lock it for 15 minutes"`
	Recipient string `json:"recipient,omitempty" maxLength:"200" doc:"who received the goods" example:"Anna"`
	Note      string `json:"note,omitempty" maxLength:"2000"`
	Offline   bool   `json:"offline,omitempty" doc:"there was no network to check the PIN: the photo stands in for it where proof.offline is photo"`
	// These are for proofs that are kept elsewhere; they meet no requirement.
	Code         string `json:"code,omitempty" maxLength:"128" doc:"the code given by the recipient; the PIN where the order requires one"`
	PhotoURL     string `json:"photo_url,omitempty" maxLength:"2000" doc:"of a photo kept elsewhere"`
	SignatureURL string `json:"signature_url,omitempty" maxLength:"2000" doc:"of a signature kept elsewhere"`
}

// data is what the event of the step that a proof came with says of it.
func (p *Proof) data() map[string]any {
	if p == nil {
		return nil
	}
	data := given(map[string]any{}, map[string]string{
		"id": p.ID, "recipient": p.Recipient, "code": p.Code, "note": p.Note, "photo_url": p.PhotoURL, "signature_url": p.SignatureURL,
	})
	if len(data) == 0 {
		return nil
	}
	return map[string]any{"proof": data}
}

// Stored reports whether the proof is stored as a record of its own.
func (p *Proof) Stored() bool {
	return p != nil && (p.ID != "" || p.PIN != "" || len(p.Photo) > 0 || len(p.Signature) > 0)
}

// ProofRecord is a proof of an order's delivery.
type ProofRecord struct {
	ID           string    `json:"id" format:"uuid"`
	OrderID      string    `json:"order_id" format:"uuid"`
	Kinds        []string  `json:"kinds" enum:"photo,signature,pin" nullable:"false" doc:"what it has"`
	Recipient    string    `json:"recipient,omitempty"`
	Note         string    `json:"note,omitempty"`
	Offline      bool      `json:"offline,omitempty" doc:"the photo stood in for the PIN, which could not be checked"`
	PhotoURL     string    `json:"photo_url,omitempty" doc:"path of the image"`
	SignatureURL string    `json:"signature_url,omitempty" doc:"path of the image"`
	CourierID    string    `json:"courier_id,omitempty" format:"uuid" doc:"who had the order"`
	Actor        Actor     `json:"actor,omitzero" doc:"who handed it in"`
	OccurredAt   time.Time `json:"occurred_at"`
	RecordedAt   time.Time `json:"recorded_at"`
	// Attempt is the delivery attempt that it belongs to, from 1; 0 before the goods were handed over.
	Attempt int `json:"attempt,omitempty"`
}

// For returns the record as the view shows it.
func (p ProofRecord) For(v View) ProofRecord {
	switch {
	case v == ViewCustomer:
		p.Actor, p.CourierID = Actor{}, ""
	case v != ViewStaff && p.Actor.Kind != RoleMerchant && p.Actor.Kind != RoleCourier: // staff identities are internal
		p.Actor.ID = ""
	}
	return p
}

// Image is a picture that belongs to a proof or an incident of an order.
type Image struct {
	OrderID, OwnerID, Kind string
	Data                   []byte // a JPEG
	CreatedAt              time.Time
}

// maxRecords limits the proofs and the incidents of an order.
const maxRecords = 50

// NeedsPIN reports whether the courier must bring the customer's PIN.
func (o *Order) NeedsPIN() bool { return slices.Contains(o.ProofRequired, ProofPIN) }

// MissingProof returns the required kinds that the order's courier has not brought for this attempt to deliver it.
func (o *Order) MissingProof() (missing []string) {
	for _, kind := range o.ProofRequired {
		brought := slices.ContainsFunc(o.Bookkeeping.Proofs, func(p ProofRecord) bool {
			return p.Attempt == o.Attempts+1 && p.CourierID == o.CourierID &&
				(slices.Contains(p.Kinds, kind) || kind == ProofPIN && p.Offline)
		})
		if !brought {
			missing = append(missing, kind)
		}
	}
	return missing
}

// Proof returns the proof with the id, or nil.
func (o *Order) Proof(id string) *ProofRecord {
	return find(o.Bookkeeping.Proofs, func(p *ProofRecord) bool { return p.ID == id })
}

// AddProof adds a proof that was checked; one whose id is there changes nothing. The order's
// own facts in the record, and its times, are filled in here.
func (o *Order) AddProof(p ProofRecord, by By) ([]Event, error) {
	if o.Proof(p.ID) != nil {
		return nil, nil
	}
	if err := o.roomFor(len(o.Bookkeeping.Proofs), by); err != nil {
		return nil, err
	}
	p.OrderID, p.CourierID, p.Actor, p.OccurredAt, p.RecordedAt = o.ID, o.CourierID, by.Actor, by.occurred(), Timestamp(by.Now)
	if !o.Status.BeforeCustody() {
		p.Attempt = o.Attempts + 1
	}
	o.Bookkeeping.Proofs = append(slices.Clone(o.Bookkeeping.Proofs), p)
	data := given(map[string]any{"proof_id": p.ID, "kinds": p.Kinds}, map[string]string{"recipient": p.Recipient, "note": p.Note, "courier_id": p.CourierID})
	if p.Offline {
		data["offline"] = true
	}
	return []Event{o.Note(EventProofAdded, by, data)}, nil
}

// roomFor fails when nothing can be added to an order that has so many records.
func (o *Order) roomFor(n int, by By) error {
	var f Faults
	by.validate(&f)
	switch {
	case o.Erased():
		return Errorf(CodeOrderFinished, "the customer's data was erased: nothing is added any more")
	case n >= maxRecords:
		f.Add("", "too_many", "an order has at most %d of them", maxRecords)
	}
	return f.Err()
}

// anonymizeProofs removes what was written and the links to images, which are erased too.
func (o *Order) anonymizeProofs() {
	b := &o.Bookkeeping
	b.Proofs, b.Incidents = slices.Clone(b.Proofs), slices.Clone(b.Incidents)
	for i := range b.Proofs {
		p := &b.Proofs[i]
		p.Recipient, p.Note, p.PhotoURL, p.SignatureURL = "", "", "", ""
	}
	for i := range b.Incidents {
		x := &b.Incidents[i]
		x.Text, x.PhotoURL, x.Resolution = "", "", ""
	}
}
