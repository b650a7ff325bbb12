package main

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The animation plays back the frames: few colours stay exact, unchanged pixels are not
// repeated, and a frame equal to the previous one only lasts longer.
func TestGIF(t *testing.T) {
	frame := func(dot int) image.Image {
		img := image.NewRGBA(image.Rect(0, 0, 40, 20))
		draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{200, 220, 240, 255}), image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(dot, 5, dot+3, 8), image.NewUniform(color.RGBA{220, 20, 60, 255}), image.Point{}, draw.Src)
		return img
	}
	frames := []image.Image{frame(2), frame(4), frame(4), frame(6)}
	var b bytes.Buffer
	require.NoError(t, writeGIF(&b, frames, 250*time.Millisecond))
	got, err := gif.DecodeAll(&b)
	require.NoError(t, err)
	require.Equal(t, []int{25, 50, 25}, got.Delay)
	require.Equal(t, image.Rect(2, 5, 7, 8), got.Image[1].Bounds())

	screen := image.NewRGBA(frames[0].Bounds())
	for i, want := range []image.Image{frames[0], frames[1], frames[3]} {
		draw.Draw(screen, got.Image[i].Bounds(), got.Image[i], got.Image[i].Bounds().Min, draw.Over)
		require.Equal(t, want, image.Image(screen), "frame %d", i)
	}
}

// Of many colours each finds one that is near.
func TestPalette(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for x := range 64 {
		for y := range 64 {
			img.Set(x, y, color.RGBA{uint8(4 * x), uint8(4 * y), uint8(2 * (x + y)), 255}) //nolint:gosec // below 256
		}
	}
	p := paletteOf([]image.Image{img})
	require.Len(t, p, 256)
	for x := range 64 {
		for y := range 64 {
			near, c := color.RGBAModel.Convert(p[1:].Convert(img.At(x, y))).(color.RGBA), img.RGBAAt(x, y)
			for i, d := range [3]int{int(near.R) - int(c.R), int(near.G) - int(c.G), int(near.B) - int(c.B)} {
				require.Less(t, d*d, 32*32, "%v for %v, %d", near, c, i)
			}
		}
	}
}
