package database

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// A segment of the search index covers a range of orders, in the order of lists (created_at, id). Its parts are, by number:
// for each gram that occurs, which of its orders have it; and below zero the orders' keys, in pages. Grams are three letters
// in a row within a word, the first one and two letters of a word, the merchant, and of orders that have ended, the status
// and the courier, which stay. A small segment has almost as many grams as a full one, most of them of a few orders: there a
// part has the postings of many grams, chosen by a hash.

const (
	runeBits = 21
	// These are in the place of a gram's first letter, above all letters.
	gramBeginning = 0x110000
	gramMerchant  = 0x110001
	gramEnded     = 0x110002
	gramOpen      = 0x110003
	// gramsPacked is that of the parts of small segments.
	gramsPacked = 0x110004
	packedBits  = 10

	docsPerPage = 32
	pagesMost   = 1 << 20 // more than a segment has
	docBytes    = 8 + 16
)

// doc is the key of an order.
type doc struct {
	at int64
	id uuid.UUID
}

func gram(a, b, c rune) int64 { return int64(a)<<(2*runeBits) | int64(b)<<runeBits | int64(c) }

// namedGram is the gram of the orders of a merchant, or that ended with a status or a courier; that of two names may be the same.
func namedGram(kind int64, name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return kind<<(2*runeBits) | int64(h.Sum64()>>(64-2*runeBits)) //nolint:gosec // 42 bits
}

// openGram is the gram of the orders that had not ended when their segment was built.
const openGram int64 = gramOpen << (2 * runeBits)

// packedPart is the part of a small segment that has the gram.
func packedPart(g int64) int64 {
	const golden = 0x9E3779B97F4A7C15
	return gramsPacked<<(2*runeBits) | int64(uint64(g)*golden>>(64-packedBits)) //nolint:gosec // a few bits
}

// unpack adds the postings of a packed part to found.
func unpack(segment int64, data []byte, found map[[2]int64][]byte) {
	for len(data) > 0 {
		g, n := binary.Uvarint(data)
		size, m := binary.Uvarint(data[max(n, 0):])
		if n <= 0 || m <= 0 || size > uint64(len(data)-n-m) { //nolint:gosec // not negative
			return
		}
		data = data[n+m:]
		found[[2]int64{segment, int64(g)}], data = data[:size], data[size:] //nolint:gosec // as it was written
	}
}

// grams calls add for each gram of folded text; some are repeated.
func grams(text string, add func(int64)) {
	var a, b rune // the previous letters of the word
	n := 0
	for _, r := range text {
		if r == ' ' {
			n = 0
			continue
		}
		switch n {
		case 0:
			add(gram(gramBeginning, r, 0))
		case 1:
			add(gram(gramBeginning, b, r))
		default:
			add(gram(a, b, r))
		}
		a, b, n = b, r, n+1
	}
}

// maxGrams and maxTermGrams limit what is looked up for a query: more would hardly exclude more orders.
const maxGrams, maxTermGrams = 24, 6

// gramsOf are grams that every text with all of the terms has.
func gramsOf(terms searchTerms) (out []int64) {
	for _, t := range terms {
		out = append(out, termGrams(t, min(maxTermGrams, max(2, maxGrams/len(terms))))...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// termGrams are at most limit grams that every text with the term has.
func termGrams(term string, limit int) (out []int64) {
	letters := []rune(term)
	if len(letters) < 3 {
		grams(term, func(g int64) { out = []int64{g} }) // the last one is the most exact
		return out
	}
	last := len(letters) - 3
	n := min(last+1, limit)
	for i := range n {
		at := 0
		if n > 1 {
			at = i * last / (n - 1) // evenly spread, both ends included
		}
		out = append(out, gram(letters[at], letters[at+1], letters[at+2]))
	}
	return out
}

// segmentBuilder collects the parts of a segment; orders are added in order.
type segmentBuilder struct {
	docs  []doc
	index map[int64]int
	lists []postingList
	open  int // how many have not ended
}

// postingList is a list of ordinals, each encoded as the distance to the one before.
type postingList struct {
	gram int64
	last int // 0 for none, else ordinal plus one
	n    int
	data []byte
}

func newSegmentBuilder() *segmentBuilder { return &segmentBuilder{index: map[int64]int{}} }

func (b *segmentBuilder) add(d doc, text, merchant string, status domain.Status, courier string) {
	b.docs = append(b.docs, d)
	grams(text, b.post)
	if merchant != "" {
		b.post(namedGram(gramMerchant, merchant))
	}
	if !status.Terminal() {
		b.open++
		b.post(openGram)
		return
	}
	b.post(namedGram(gramEnded, string(status)))
	if courier != "" {
		b.post(namedGram(gramEnded, courier))
	}
}

// post notes that the newest document has the gram.
func (b *segmentBuilder) post(g int64) {
	i, known := b.index[g]
	if !known {
		i = len(b.lists)
		b.index[g] = i
		b.lists = append(b.lists, postingList{gram: g})
	}
	l := &b.lists[i]
	if l.last == len(b.docs) {
		return
	}
	l.data = binary.AppendUvarint(l.data, uint64(len(b.docs)-l.last)) //nolint:gosec // positive
	l.last = len(b.docs)
	l.n++
}

// parts calls emit with each part's number and content, those of a small segment packed.
func (b *segmentBuilder) parts(packed bool, emit func(part int64, data []byte) error) error {
	for page := 0; page*docsPerPage < len(b.docs); page++ {
		var data []byte
		for _, d := range b.docs[page*docsPerPage : min((page+1)*docsPerPage, len(b.docs))] {
			data = binary.BigEndian.AppendUint64(data, uint64(d.at)) //nolint:gosec // kept as bits
			data = append(data, d.id[:]...)
		}
		if err := emit(docPage(page*docsPerPage), data); err != nil {
			return err
		}
	}
	packs := map[int64][]byte{}
	for i := range b.lists {
		l := &b.lists[i]
		data := append([]byte{postingsList}, l.data...)
		if size := (len(b.docs) + 7) / 8; size < len(l.data) {
			data, _ = binary.Append([]byte{postingsBitmap}, binary.LittleEndian, []uint64(postings(data, len(b.docs))))
			data = data[:1+size]
		}
		if packed {
			part := packedPart(l.gram)
			pack := binary.AppendUvarint(packs[part], uint64(l.gram)) //nolint:gosec // positive
			packs[part] = append(binary.AppendUvarint(pack, uint64(len(data))), data...)
		} else if err := emit(l.gram, data); err != nil {
			return err
		}
	}
	for _, part := range slices.Sorted(maps.Keys(packs)) {
		if err := emit(part, packs[part]); err != nil {
			return err
		}
	}
	return nil
}

// docPage is the part with an order's key.
func docPage(ordinal int) int64 { return -1 - int64(ordinal/docsPerPage) }

// docAt reads an order's key from its page.
func docAt(page []byte, ordinal int) (d doc, ok bool) {
	at := ordinal % docsPerPage * docBytes
	if at+docBytes > len(page) {
		return d, false
	}
	d.at = int64(binary.BigEndian.Uint64(page[at:])) //nolint:gosec // kept as bits
	copy(d.id[:], page[at+8:])
	return d, true
}

// The first byte of postings says how they are encoded.
const (
	postingsList   = 0
	postingsBitmap = 1
)

// bitmap is a set of ordinals.
type bitmap []uint64

// allOf is the set of all ordinals.
func allOf(docs int) bitmap {
	b := bitmap(slices.Repeat([]uint64{math.MaxUint64}, (docs+63)/64))
	b.cut(docs)
	return b
}

// postings decodes a part; ordinals beyond the number of orders are ignored.
func postings(data []byte, docs int) bitmap {
	b := allOf(docs)
	b.only(data)
	return b
}

// only removes the ordinals that the postings don't have. It allocates nothing, as a search reads hundreds of parts.
func (b bitmap) only(data []byte) {
	if len(data) > 0 && data[0] == postingsBitmap {
		for i := range b {
			var word [8]byte
			copy(word[:], data[min(1+8*i, len(data)):])
			b[i] &= binary.LittleEndian.Uint64(word[:])
		}
		return
	}
	at, kept := 0, uint64(0)
	until := func(word uint64) {
		for ; at < len(b) && uint64(at) < word; kept = 0 { //nolint:gosec // not negative
			b[at] &= kept
			at++
		}
	}
	list := data[min(1, len(data)):]
	for next, n := uint64(0), 1; len(list) > 0 && n > 0; {
		var step uint64
		step, n = binary.Uvarint(list)
		list = list[max(n, 0):]
		next += step // ordinal plus one
		until((next - 1) / 64)
		kept |= 1 << ((next - 1) % 64)
	}
	until(math.MaxUint64)
}

// cut removes ordinals from n on.
func (b bitmap) cut(n int) {
	for i := range b {
		b[i] &= 1<<max(0, min(64, n-64*i)) - 1
	}
}

func (b bitmap) count() (n int) {
	for _, v := range b {
		n += bits.OnesCount64(v)
	}
	return n
}

// both is how many ordinals are also in the postings.
func (b bitmap) both(data []byte) int {
	c := slices.Clone(b)
	c.only(data)
	return c.count()
}

func (b bitmap) and(other bitmap) {
	for i := range b {
		b[i] &= other[i]
	}
}

func (b bitmap) or(other bitmap) {
	for i := range b {
		b[i] |= other[i]
	}
}

// last removes and returns the largest ordinal, -1 if there is none. It looks at words up to *from, and moves that down.
func (b bitmap) last(from *int) int {
	for ; *from >= 0; *from-- {
		if v := b[*from]; v != 0 {
			top := bits.Len64(v) - 1
			b[*from] &^= 1 << top
			return *from*64 + top
		}
	}
	return -1
}
