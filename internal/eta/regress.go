package eta

import (
	"math"
	"time"
)

// The numbers that the base depends on. An unknown one is NaN and counts as its mean.
const (
	xOne = iota
	xDistance
	xRoot
	xExpected
	xElapsed
	xLoad
	xItems
	xPrice
	xWeight
	xPace
	numbers
)

type vector [numbers]float64

// regression is a linear one by least squares with decaying weights, pulled to prior.
type regression struct {
	prior  vector // coefficients before anything is learned
	mean   vector
	count  vector // decayed weight behind each mean
	gram   [numbers][numbers]float64
	moment vector // of the residuals of prior
	coef   vector // what is added to prior
	last   int64  // Unix seconds
	n      int
}

// ridge is the weight of the prior, in completions.
const ridge = 3

func (g *regression) centre(x *vector) vector {
	var c vector
	c[0] = 1
	for i := 1; i < numbers; i++ {
		if !math.IsNaN(x[i]) && g.count[i] > 0 {
			c[i] = x[i] - g.mean[i]
		}
	}
	return c
}

func (g *regression) at(x *vector) float64 {
	c := g.centre(x)
	y := 0.
	for i := range c {
		y += c[i] * g.coef[i]
	}
	return y + g.byPrior(x)
}

func (g *regression) byPrior(x *vector) float64 {
	y := g.prior[0]
	for i := 1; i < numbers; i++ {
		if g.prior[i] != 0 && !math.IsNaN(x[i]) {
			y += g.prior[i] * x[i]
		}
	}
	return y
}

func (g *regression) learn(x *vector, y float64, w float64, now time.Time, halfLife time.Duration) {
	at := now.Unix()
	d := decay(at-g.last, halfLife)
	g.last = max(at, g.last)
	for i := 1; i < numbers; i++ {
		g.count[i] *= d
		if !math.IsNaN(x[i]) {
			// The mean settles and then stays: moving it would bend the moments.
			if g.n < 200 || g.count[i] == 0 {
				g.count[i]++
				g.mean[i] += (x[i] - g.mean[i]) / g.count[i]
			}
		}
	}
	c := g.centre(x)
	// One absurd completion moves it by no more than one that took e times as long.
	expected := g.at(x)
	r := expected - g.byPrior(x) + bound(y-expected, -1, 1)
	for i := range c {
		g.moment[i] = g.moment[i]*d + w*c[i]*r
		for j := range c {
			g.gram[i][j] = g.gram[i][j]*d + w*c[i]*c[j]
		}
	}
	g.n++
	if g.n < 64 || g.n%16 == 0 {
		g.solve()
	}
}

// solve finds coef of (gram + ridge) coef = moment by Cholesky's method.
func (g *regression) solve() {
	var l [numbers][numbers]float64
	var z vector
	for i := range numbers {
		for j := 0; j <= i; j++ {
			s := g.gram[i][j]
			if i == j {
				s += ridge
			}
			for k := range j {
				s -= l[i][k] * l[j][k]
			}
			if i == j {
				l[i][i] = math.Sqrt(max(s, 1e-9))
			} else {
				l[i][j] = s / l[j][j]
			}
		}
	}
	for i := range numbers {
		s := g.moment[i]
		for k := range i {
			s -= l[i][k] * z[k]
		}
		z[i] = s / l[i][i]
	}
	for i := numbers - 1; i >= 0; i-- {
		s := z[i]
		for k := i + 1; k < numbers; k++ {
			s -= l[k][i] * g.coef[k]
		}
		g.coef[i] = s / l[i][i]
	}
}

// decay is the weight that is left after a time, all of it when that is yet to come.
func decay(seconds int64, halfLife time.Duration) float64 {
	return math.Exp2(-max(0, float64(seconds)) / halfLife.Seconds())
}
