package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

type paper struct {
	kind string
	at   time.Time
	of   *order
}

// linkLife is how long a printed document can be downloaded.
const linkLife = time.Hour

func (s *Server) print(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	p := &paper{kind: r.PathValue("kind"), at: s.opt.Now()}
	list, _ := body["orders"].([]any)
	for _, entry := range list {
		ref, _ := entry.(object)
		for _, o := range s.orders {
			if id := text(ref, "order_uuid"); id == o.uuid || id == "" && text(ref, "cdek_number") == o.cdekNumber {
				p.of = o
			}
		}
	}
	id := uuid.NewString()
	s.papers[id] = p
	answer(w, http.StatusAccepted, object{"entity": object{"uuid": id}, "requests": []object{{
		"request_uuid": uuid.NewString(), "type": "CREATE", "state": "ACCEPTED", "date_time": s.stamp(p.at),
	}}})
}

func (s *Server) printed(w http.ResponseWriter, r *http.Request) {
	id, download := strings.CutSuffix(r.PathValue("id"), ".pdf")
	p := s.papers[id]
	if p == nil || p.kind != r.PathValue("kind") {
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
		return
	}
	age := s.opt.Now().Sub(p.at)
	states, request := []string{"ACCEPTED"}, object{"type": "CREATE", "state": "SUCCESSFUL", "date_time": s.stamp(p.at)}
	switch {
	case p.of == nil || p.of.cdekNumber == "":
		states = append(states, "INVALID")
		request["state"] = "INVALID"
		request["errors"] = []object{{"code": "v2_orders_number_is_empty", "message": "Entity is empty. All orders are incorrect"}}
	case age >= linkLife:
		states = append(states, "PROCESSING", "READY", "REMOVED")
	case age >= s.opt.Decide:
		states = append(states, "PROCESSING", "READY")
	}
	ready := states[len(states)-1] == "READY"
	if download && ready {
		w.Header().Set("Content-Type", "application/pdf")
		_, _ = w.Write(pdf(p.kind + " " + p.of.cdekNumber))
		return
	}
	entity := object{"uuid": id, "copy_count": 1}
	var rows []object
	for _, code := range states {
		rows = append(rows, object{"code": code, "date_time": s.stamp(p.at)})
	}
	entity["statuses"] = rows
	if ready {
		entity["url"] = "http://api.cdek.ru/v2/print/" + p.kind + "/" + id + ".pdf"
	}
	if p.of != nil {
		entity["orders"] = []object{{"order_uuid": p.of.uuid}}
	}
	answer(w, http.StatusOK, object{"entity": entity, "requests": []object{request}})
}

// pdf returns a one-page document with one line of text.
func pdf(line string) []byte {
	content := "BT /F1 18 Tf 20 60 Td (" + line + ") Tj ET"
	parts := []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 298 420] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	for i, part := range parts {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, part)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(parts)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(parts)+1, table)
	return b.Bytes()
}
