package main

import (
	"cmp"
	"image"
	"image/color"
	"image/gif"
	"io"
	"slices"
	"time"
)

// writeGIF writes an endless animation in which each frame holds only the changes since the
// previous one; all share a palette, so that nothing flickers.
func writeGIF(w io.Writer, frames []image.Image, pause time.Duration) error {
	palette := paletteOf(frames)
	index := map[color.RGBA]uint8{}
	nearest := func(c color.Color) uint8 {
		rgba := color.RGBAModel.Convert(c).(color.RGBA)
		i, known := index[rgba]
		if !known {
			i = uint8(1 + palette[1:].Index(rgba)) //nolint:gosec // a palette has at most 256
			index[rgba] = i
		}
		return i
	}
	out := &gif.GIF{}
	var shown []uint8
	for _, frame := range frames {
		b := frame.Bounds()
		now := make([]uint8, 0, b.Dx()*b.Dy())
		changed := image.Rectangle{}
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				now = append(now, nearest(frame.At(x, y)))
				if shown == nil || shown[len(now)-1] != now[len(now)-1] {
					changed = changed.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		delay := int(pause / (10 * time.Millisecond))
		if last := len(out.Delay) - 1; changed.Empty() && last >= 0 {
			out.Delay[last] += delay
			continue
		}
		piece := image.NewPaletted(changed, palette)
		for y := changed.Min.Y; y < changed.Max.Y; y++ {
			for x := changed.Min.X; x < changed.Max.X; x++ {
				at := (y-b.Min.Y)*b.Dx() + x - b.Min.X
				if shown == nil || shown[at] != now[at] { // else it stays transparent, which is 0
					piece.SetColorIndex(x, y, now[at])
				}
			}
		}
		shown = now
		out.Image, out.Delay, out.Disposal = append(out.Image, piece), append(out.Delay, delay), append(out.Disposal, gif.DisposalNone)
	}
	return gif.EncodeAll(w, out)
}

// tone is a colour and how many pixels have it.
type tone struct {
	rgb   [3]uint8
	count int
}

// paletteOf is a transparent colour and at most 255 that come near all of the frames' (median
// cut: the box of colours with the widest side is halved until there are enough).
func paletteOf(frames []image.Image) color.Palette {
	counts := map[[3]uint8]int{}
	for i, frame := range frames {
		if i%5 != 0 && i != len(frames)-1 {
			continue
		}
		b := frame.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				r, g, bl, _ := frame.At(x, y).RGBA()
				counts[[3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8)}]++ //nolint:gosec // the upper byte
			}
		}
	}
	all := make([]tone, 0, len(counts))
	for rgb, n := range counts {
		all = append(all, tone{rgb, n})
	}
	slices.SortFunc(all, func(a, b tone) int { return slices.Compare(a.rgb[:], b.rgb[:]) }) // maps have no order
	boxes := [][]tone{all}
	for len(boxes) < 255 {
		widest, axis, width := 0, 0, 0
		for i, b := range boxes {
			if a, w := side(b); w > width {
				widest, axis, width = i, a, w
			}
		}
		if width == 0 {
			break
		}
		b := boxes[widest]
		slices.SortStableFunc(b, func(x, y tone) int { return cmp.Compare(x.rgb[axis], y.rgb[axis]) })
		boxes[widest] = b[:len(b)/2]
		boxes = append(boxes, b[len(b)/2:])
	}
	palette := color.Palette{color.RGBA{}}
	for _, b := range boxes {
		commonest := slices.MaxFunc(b, func(x, y tone) int { return cmp.Compare(x.count, y.count) })
		palette = append(palette, color.RGBA{commonest.rgb[0], commonest.rgb[1], commonest.rgb[2], 255})
	}
	return palette
}

// side is the widest side of a box of colours.
func side(box []tone) (axis, width int) {
	for a := range 3 {
		low, high := 255, 0
		for _, t := range box {
			low, high = min(low, int(t.rgb[a])), max(high, int(t.rgb[a]))
		}
		if high-low > width {
			axis, width = a, high-low
		}
	}
	return axis, width
}
