package orders

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// scene is a picture whose corner is red on the top left, the rest is white.
func scene(width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, color.White)
			if x < width/2 && y < height/2 {
				img.Set(x, y, color.RGBA{R: 255, A: 255})
			}
		}
	}
	return img
}

func jpegOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, nil))
	return b.Bytes()
}

// planted is what a phone wrote into its file beside the picture.
const planted = "PLANTED-PLACE"

// withEXIF adds to a JPEG how the camera was held, where it was and a comment.
func withEXIF(data []byte, held uint16) []byte {
	le := binary.LittleEndian
	tiff := le.AppendUint32([]byte("II*\x00"), 8)
	entry := func(tag, kind uint16, count, value uint32) {
		tiff = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(tiff, tag), kind), count), value)
	}
	tiff = le.AppendUint16(tiff, 2)
	entry(0x0112, 3, 1, uint32(held)) // Orientation
	entry(0x8825, 4, 1, 38)           // GPSInfo
	tiff = le.AppendUint32(tiff, 0)
	tiff = le.AppendUint16(tiff, 1)
	entry(0x001d, 2, uint32(len(planted)+1), 56) // GPSDateStamp
	tiff = le.AppendUint32(tiff, 0)
	tiff = append(append(tiff, planted...), 0)
	out := []byte{0xff, 0xd8}
	for marker, content := range map[byte][]byte{0xe1: append([]byte("Exif\x00\x00"), tiff...), 0xfe: []byte(planted)} {
		out = append(out, 0xff, marker)
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(content)+2)), content...) //nolint:gosec // some bytes
	}
	return append(out, data[2:]...)
}

func cleaned(t testing.TB, data []byte) ([]byte, error) {
	var f domain.Faults
	out := picture(t.Context(), &f, "/photo", data)
	return out, f.Err()
}

// Whatever way the camera was held, the picture is upright, and nothing but the picture is left.
func TestPicturesAreUprightAndNothingElse(t *testing.T) {
	// Where the red corner is in the file, if the camera was held like this: left, top.
	for held, at := range map[uint16][2]bool{
		1: {true, true}, 2: {false, true}, 3: {false, false}, 4: {true, false}, 5: {true, true}, 6: {true, false}, 7: {false, false}, 8: {false, true}, 9: {true, true},
	} {
		width, height := 120, 80
		if held >= 5 && held <= 8 {
			width, height = height, width
		}
		stored := image.NewRGBA(image.Rect(0, 0, width, height))
		for y := range height {
			for x := range width {
				stored.Set(x, y, color.White)
				if (x < width/2) == at[0] && (y < height/2) == at[1] {
					stored.Set(x, y, color.RGBA{R: 255, A: 255})
				}
			}
		}
		file := withEXIF(jpegOf(t, stored), held)
		require.Contains(t, string(file), planted)
		if held != 9 { // which is none
			require.Equal(t, held, orientation(file, "jpeg"), "the planted EXIF is read")
		}
		out, err := cleaned(t, file)
		require.NoError(t, err)
		require.NotContains(t, string(out), planted)
		require.NotContains(t, string(out), "Exif")
		img, err := jpeg.Decode(bytes.NewReader(out))
		require.NoError(t, err)
		require.Equal(t, image.Pt(120, 80), img.Bounds().Size(), "held %d", held)
		for corner, want := range map[image.Point]bool{{10, 10}: true, {110, 10}: false, {10, 70}: false, {110, 70}: false} {
			_, green, _, _ := img.At(corner.X, corner.Y).RGBA()
			require.Equal(t, want, green < 0x8000, "held %d: %v", held, corner)
		}
	}
}

func TestPicturesAreMadeSmaller(t *testing.T) {
	out, err := cleaned(t, jpegOf(t, scene(4000, 1000)))
	require.NoError(t, err)
	size, _, err := image.DecodeConfig(bytes.NewReader(out))
	require.NoError(t, err)
	require.Equal(t, [2]int{2048, 512}, [2]int{size.Width, size.Height})
	// A signature on nothing is one on white.
	var signature bytes.Buffer
	require.NoError(t, png.Encode(&signature, image.NewNRGBA(image.Rect(0, 0, 30, 20))))
	out, err = cleaned(t, signature.Bytes())
	require.NoError(t, err)
	img, err := jpeg.Decode(bytes.NewReader(out))
	require.NoError(t, err)
	r, g, b, _ := img.At(10, 10).RGBA()
	require.Greater(t, min(r, g, b), uint32(0xf000))
}

// bomb is a PNG of a few bytes that says it has so many pixels.
func bomb(width, height uint32) []byte {
	be := binary.BigEndian
	head := append(be.AppendUint32(be.AppendUint32([]byte("IHDR"), width), height), 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return be.AppendUint32(append(out, head...), crc32.ChecksumIEEE(head))
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	whole := jpegOf(t, scene(64, 64))
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"a text":                    {[]byte("hello"), "invalid_image"},
		"SVG":                       {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "invalid_image"},
		"HTML behind a JPEG's mark": {[]byte("\xff\xd8\xff<html>"), "invalid_image"},
		"GIF":                       {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), "invalid_image"},
		"half of a JPEG":            {whole[:len(whole)/2], "invalid_image"},
		"a header alone":            {bomb(100, 100), "invalid_image"},
		"billions of pixels":        {bomb(50_000, 50_000), "too_large"},
		"more than an int":          {bomb(1<<31-1, 1<<31-1), "invalid_image"},
		"nine megabytes":            {append(whole, make([]byte, 9<<20)...), "too_large"},
	} {
		out, err := cleaned(t, c.data)
		require.Nil(t, out, name)
		require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), name)
		text, marshalErr := json.Marshal(err)
		require.NoError(t, marshalErr)
		require.True(t, strings.Contains(string(text), c.code) && strings.Contains(string(text), "/photo"), "%s: %s", name, text)
	}
	out, err := cleaned(t, nil)
	require.NoError(t, err, "none is none")
	require.Nil(t, out)
}

// Whatever the bytes are, they are refused or become a picture without anything planted.
func FuzzPicture(f *testing.F) {
	whole := jpegOf(f, scene(32, 24))
	for held := range uint16(10) {
		f.Add(withEXIF(whole, held))
	}
	var flat bytes.Buffer
	require.NoError(f, png.Encode(&flat, scene(8, 8)))
	f.Add(flat.Bytes())
	f.Add(bomb(1<<20, 1<<20))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := cleaned(t, data)
		if err != nil || len(data) == 0 {
			require.Nil(t, out)
			return
		}
		size, kind, err := image.DecodeConfig(bytes.NewReader(out))
		require.NoError(t, err)
		require.Equal(t, "jpeg", kind)
		require.LessOrEqual(t, max(size.Width, size.Height), longSide)
		require.NotContains(t, string(out), planted)
	})
}
