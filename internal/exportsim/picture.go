package exportsim

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"sync"
)

// pictures makes JPEG and PNG files of any size quickly: a few of growing sizes are drawn once, and each copy
// is brought to the wanted size with random bytes in a segment that viewers skip, so that no two copies are
// alike.
type pictures struct{ seed uint64 }

// drawn holds what has been drawn; it is the same for all exports, and a process needs it once.
var drawn struct {
	mu   sync.Mutex     // guards the maps
	jpeg map[int][]byte // by side in pixels
	png  map[int][]byte
}

// draw returns the picture of a side from one of drawn's maps.
func draw(from *map[int][]byte, side int, how func(side int) []byte) []byte {
	drawn.mu.Lock()
	defer drawn.mu.Unlock()
	b, ok := (*from)[side]
	if !ok {
		if *from == nil {
			*from = map[int][]byte{}
		}
		b = how(side)
		(*from)[side] = b
	}
	return b
}

// Sides of the pictures drawn, and how many bytes a pixel takes at most.
var sides = []int{16, 32, 64, 96, 144, 216, 324, 486, 729, 1092, 1638}

// side returns the largest drawn side whose file takes at most size bytes, or the smallest there is.
func side(size int, perPixel float64) int {
	best := sides[0]
	for _, s := range sides {
		if float64(s*s)*perPixel+1200 <= float64(size) {
			best = s
		}
	}
	return best
}

// JPEG returns a JPEG of about size bytes that key alone decides; exactly size where that is above 2 KB.
func (p pictures) JPEG(size int, key uint64) (b []byte, width int) {
	s := side(size, 0.62)
	base := draw(&drawn.jpeg, s, drawJPEG)
	out := append(make([]byte, 0, max(size, len(base)+16)), base[:2]...) // SOI
	for n := max(size-len(base), 12); n > 0; {
		k := min(n, 65_000)
		if rest := n - k; rest > 0 && rest < 12 {
			k -= 12
		}
		n -= k
		out = append(out, 0xFF, 0xFE) // COM
		out = binary.BigEndian.AppendUint16(out, uint16(k-2))
		from := len(out)
		out = out[:from+k-4]
		fill(out[from:], p.seed, key+uint64(n))
	}
	return append(out, base[2:]...), s
}

// drawJPEG draws clouds and grain: what a scanner or a telephone would make of a page.
func drawJPEG(side int) []byte {
	r := newRNG(0, streamPicture, uint64(side))
	img := image.NewYCbCr(image.Rect(0, 0, side, side), image.YCbCrSubsampleRatio420)
	fill(img.Y, 0, uint64(side))
	for i, v := range img.Y {
		img.Y[i] = 90 + v/3 + byte(i/side*60/side)
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128+byte(i%7), 120+byte(r.IntN(9))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 75}); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// PNG returns a PNG of about size bytes that key alone decides.
func (p pictures) PNG(size int, key uint64) []byte {
	s := side(size, 1.02)
	base := draw(&drawn.png, s, drawPNG)
	const ihdr = 8 + 25 // signature and first chunk
	extra := make([]byte, max(size-len(base)-12, 16))
	fill(extra, p.seed, key)
	out := append(make([]byte, 0, len(base)+len(extra)+12), base[:ihdr]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(extra)))
	chunk := len(out)
	out = append(append(out, "scAn"...), extra...) // ancillary, private, safe to copy
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[chunk:]))
	return append(out, base[ihdr:]...)
}

func drawPNG(side int) []byte {
	img := image.NewGray(image.Rect(0, 0, side, side))
	fill(img.Pix, 0, uint64(side)<<1)
	img.SetGray(0, 0, color.Gray{Y: 255})
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}
