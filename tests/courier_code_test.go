package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// photographs takes a photo in the dialog that is open, and waits until the phone has made it smaller.
func (ph *handset) photographs() {
	ph.do(`(async () => {
		const canvas = new OffscreenCanvas(3000, 1000);
		canvas.getContext("2d").fillRect(0, 0, 3000, 1000);
		const files = new DataTransfer();
		files.items.add(new File([await canvas.convertToBlob({ type: "image/jpeg" })], "photo.jpg", { type: "image/jpeg" }));
		const input = document.querySelector("dialog[open] input[type=file]");
		input.files = files.files;
		input.dispatchEvent(new Event("change"));
	})()`)
	ph.until(`document.querySelector("dialog[open] .app-photo figure canvas")?.width === 1600`)
}

// doorWithACode is a courier at the door of an order that is handed over for a code.
func doorWithACode(t *testing.T, args ...string) (s *shop, ph *handset, id, pin string) {
	s = newShop(t, args...)
	ph = newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	id, token := s.pizza(object{"proof_required": []string{"pin"}})
	s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	for _, status := range []string{"picked_up", "out_for_delivery", "at_dropoff"} {
		s.status(id, status)
	}
	resp, err := http.Get("http://" + s.http + "/order/" + id + "?token=" + token)
	require.NoError(t, err)
	pin = str(readObject(resp), "pin")
	ph.visit("")
	ph.until(`document.querySelector(".app-go .main")?.innerText === "Handed over"`)
	return s, ph, id, pin
}

const handOver = `document.querySelector("dialog[open] .dialog-actions .main")`

// Where nothing stands in for the code, the courier is told before the hand-over that it needs a network, also by an
// app that was started without one; with a network the code is enough.
func TestCourierWaitsForANetworkWithTheCode(t *testing.T) {
	s, ph, id, pin := doorWithACode(t, "--set=proof.offline=refuse")
	ph.offline()
	ph.until(`document.querySelector(".app-card .notice")?.innerText.includes("don’t hand it over yet")`)
	ph.off()
	ph.on()
	ph.visit("")
	ph.until(`document.querySelector(".app-card .notice")?.innerText.includes("don’t hand it over yet")`)
	ph.do(`document.querySelector(".app-go .main").click()`)
	ph.until(`document.querySelector("dialog[open] .notice.bad")?.innerText.includes("a photo doesn’t replace it") && ` + handOver + `.disabled`)
	ph.do(`document.querySelector("dialog[open] .field input").focus()`)
	ph.keys(pin)
	ph.online()
	ph.until(`!document.querySelector("dialog[open] .notice.bad") && !` + handOver + `.disabled`)
	ph.do(handOver + `.click()`)
	eventually(t, "it is delivered", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "delivered" })
}

// Elsewhere a photo stands in for the code.
func TestCourierTakesAPhotoInPlaceOfTheCode(t *testing.T) {
	s, ph, id, _ := doorWithACode(t)
	ph.offline()
	ph.until(`document.querySelector(".notice.offline")`)
	ph.do(`document.querySelector(".app-go .main").click()`)
	ph.until(`document.querySelector("dialog[open] .notice")?.innerText.includes("take a photo instead")`)
	ph.do(handOver + `.click()`)
	ph.until(`document.querySelector("dialog[open] .field-error")?.innerText === "Ask the customer for the code."`)
	ph.photographs()
	ph.until(`!document.querySelector("dialog[open] .field-error")`)
	ph.do(handOver + `.click()`)
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("2 wait for network")`)
	ph.online()
	eventually(t, "it is delivered", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "delivered" })
	require.Equal(t, true, get(s.rest("GET", "/order/"+id+"/proof", nil), "proofs", 0, "offline"))
}
