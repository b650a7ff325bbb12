package orders

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // the other format that is accepted
	"net/http"

	"github.com/bep/imagemeta"
	"golang.org/x/image/draw"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// maxPicture and maxPixels limit what is accepted: a photo of a phone. Decoding takes up to 12 bytes a pixel.
	maxPicture = 8 << 20
	maxPixels  = 17 << 20
	// longSide and quality are of what is stored.
	longSide = 2048
	quality  = 85
)

// decoding limits how many pictures are in memory at once.
var decoding = make(chan struct{}, 1)

// picture makes a clean JPEG of an uploaded image: upright, of a bounded size, and without anything else that its file had, such
// as where it was taken. The type is told by the content. It records a fault at the pointer.
func picture(ctx context.Context, f *domain.Faults, pointer string, data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	if len(data) > maxPicture {
		f.Add(pointer, "too_large", "must have at most %d bytes", maxPicture)
		return nil
	}
	head, kind, err := image.DecodeConfig(bytes.NewReader(data))
	switch {
	case err != nil:
		f.Add(pointer, "invalid_image", "must be a JPEG or PNG image; it looks like %s", http.DetectContentType(data))
		return nil
	case head.Width < 1 || head.Height < 1 || int64(head.Width)*int64(head.Height) > maxPixels:
		f.Add(pointer, "too_large", "must have at most %d megapixels; it has %d × %d", maxPixels>>20, head.Width, head.Height)
		return nil
	}
	select {
	case decoding <- struct{}{}:
		defer func() { <-decoding }()
	case <-ctx.Done():
		f.Add(pointer, "invalid_image", "was not read in time")
		return nil
	}
	out, err := upright(data, kind)
	if err != nil {
		f.Add(pointer, "invalid_image", "is a damaged %s image", kind)
	}
	return out
}

// upright decodes an image, shrinks and turns it, and encodes it again, on white where it is transparent.
func upright(data []byte, kind string) ([]byte, error) {
	from, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	size := from.Bounds().Size()
	if long := max(size.X, size.Y); long > longSide {
		size.X, size.Y = max(1, size.X*longSide/long), max(1, size.Y*longSide/long)
	}
	small := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(small, small.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(small, small.Bounds(), from, from.Bounds(), draw.Over, nil)
	var out bytes.Buffer
	err = jpeg.Encode(&out, turned(small, orientation(data, kind)), &jpeg.Options{Quality: quality})
	return out.Bytes(), err
}

// orientation returns how the camera was held: 1 to 8, as EXIF numbers it, 1 if unknown.
func orientation(data []byte, kind string) (held uint16) {
	format := imagemeta.JPEG
	if kind == "png" {
		format = imagemeta.PNG
	}
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(data), ImageFormat: format, Sources: imagemeta.EXIF,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool { return t.Namespace == "IFD0" && t.Tag == "Orientation" },
		HandleTag:       func(t imagemeta.TagInfo) error { held, _ = t.Value.(uint16); return nil },
	})
	if err != nil || held < 1 || held > 8 {
		return 1
	}
	return held
}

// turned undoes an orientation.
func turned(from *image.RGBA, held uint16) *image.RGBA {
	if held == 1 {
		return from
	}
	size := from.Bounds().Size()
	sideways := held >= 5
	to := image.NewRGBA(image.Rectangle{Max: size})
	if sideways {
		to = image.NewRGBA(image.Rect(0, 0, size.Y, size.X))
	}
	for y := range to.Rect.Max.Y {
		for x := range to.Rect.Max.X {
			fx, fy := x, y
			if sideways {
				fx, fy = y, x
			}
			if held == 2 || held == 3 || held == 7 || held == 8 {
				fx = size.X - 1 - fx
			}
			if held == 3 || held == 4 || held == 6 || held == 7 {
				fy = size.Y - 1 - fy
			}
			to.SetRGBA(x, y, from.RGBAAt(fx, fy))
		}
	}
	return to
}
