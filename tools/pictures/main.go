// Command pictures generates the README's pictures of the demo: it runs the demo, opens the
// customer's page in a headless browser, and saves a screenshot in dark mode and a short
// animation of a delivery in light mode; and a screenshot of the dispatcher's board.
//
//	go run ./tools/pictures -out docs/img
//
// It needs Chromium or Chrome; CHROME names another one.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The picture of a phone, and how often the animation looks at it and how fast it is shown.
const (
	width, height = 390, 780
	cut           = 692 // below the courier's card
	frames        = 82
	every, shown  = 1500 * time.Millisecond, 120 * time.Millisecond
)

func main() {
	out := flag.String("out", "docs/img", "the folder for the pictures")
	url := flag.String("url", "", "a page to take instead of the demo's")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	if err := run(ctx, *out, *url); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		cancel()
		os.Exit(1) //nolint:gocritic // cancelled
	}
}

func run(ctx context.Context, out, url string) error {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(width, height)) //nolint:gocritic // a new slice
	if path := os.Getenv("CHROME"); path != "" {
		options = append(options, chromedp.ExecPath(path))
	}
	browser, cancel := chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	tab, cancel := chromedp.NewContext(browser)
	defer cancel()
	for _, take := range []func(ctx context.Context, url, out string) error{still, animation, board} {
		err := withPage(ctx, url, func(url string) error { return take(tab, url, out) })
		if err != nil {
			return err
		}
	}
	return nil
}

// withPage calls take with the page, or with one of a new demo.
func withPage(ctx context.Context, url string, take func(url string) error) error {
	if url != "" {
		return take(url)
	}
	url, stop, err := startDemo(ctx)
	if err != nil {
		return err
	}
	defer stop()
	return take(url)
}

func still(ctx context.Context, url, out string) error {
	if err := open(ctx, url, "dark", 2); err != nil {
		return err
	}
	shot, err := picture(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "customer-night.png"), shot, 0o644) //nolint:gosec // for everybody to read
}

func animation(ctx context.Context, url, out string) error {
	moving, err := film(ctx, url)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := writeGIF(&b, moving, shown); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "demo.gif"), b.Bytes(), 0o644) //nolint:gosec // for everybody to read
}

// The picture of a desk.
const boardWidth, boardHeight = 1280, 720

// board is the dispatcher's board with an order open.
func board(ctx context.Context, url, out string) error {
	base, _, _ := strings.Cut(url, "/t/")
	day := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, day); err != nil {
		return err
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(boardWidth, boardHeight), chromedp.Navigate(base+"/?lang=en"),
		chromedp.WaitVisible(".table-body .table-row"), chromedp.Sleep(8*time.Second)); err != nil {
		return err
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "board.png"), shot, 0o644) //nolint:gosec // for everybody to read
}

// startDemo runs the demo and returns the URL of the customer's page that it prints.
func startDemo(ctx context.Context) (url string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "pictures-")
	if err != nil {
		return "", nil, err
	}
	bin := filepath.Join(dir, "order-tracking")
	if said, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd").CombinedOutput(); err != nil { //nolint:gosec // our own program
		return "", nil, fmt.Errorf("go build: %w\n%s", err, said)
	}
	cmd := exec.CommandContext(ctx, bin, "demo", "--seed", "7", "--http-addr", "127.0.0.1:0", "--open=false") //nolint:gosec // our own program
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if _, line, found := strings.Cut(lines.Text(), "  Follow "); found {
			_, url, _ = strings.Cut(line, ": ")
			go func() { // the demo must not wait for a reader
				for lines.Scan() {
				}
			}()
			return url, stop, nil
		}
	}
	stop()
	return "", nil, errors.New("the demo named no page")
}

// open shows the page as a phone does, by day or night, until its map has settled.
func open(ctx context.Context, url, scheme string, scale float64) error {
	night := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, night); err != nil {
		return err
	}
	return chromedp.Do(ctx, chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale), chromedp.EmulateMobile),
		chromedp.Navigate(url), chromedp.WaitVisible("canvas"), chromedp.Sleep(5*time.Second))
}

// picture is the upper part of the page, a PNG.
func picture(ctx context.Context) ([]byte, error) {
	clip := page.CaptureScreenshotParams{Clip: &page.Viewport{Width: width, Height: cut, Scale: 1}}
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, clip)
	return shot.Data, err
}

// film takes frames of the page at an even pace.
func film(ctx context.Context, url string) ([]image.Image, error) {
	if err := open(ctx, url, "light", 1); err != nil {
		return nil, err
	}
	var out []image.Image
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range frames {
		shot, err := picture(ctx)
		if err != nil {
			return nil, err
		}
		frame, err := png.Decode(bytes.NewReader(shot))
		if err != nil {
			return nil, err
		}
		out = append(out, frame)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
	return out, nil
}
