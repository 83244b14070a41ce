// Figures runs the scenarios that tell what the policies are worth: three endpoints that serve in 5 to 10 ms, an open
// loop of calls through the proxy, one fault; and each again as a control, with the policy off. A row of text for each,
// and with -json all of it. The binary comes from the environment variable OUTRIGGER. Exit code 1 when a bar is missed
// or a control shows nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

// row is one scenario and what came of it.
type row struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	Checks  []check  `json:"checks"`
	Control []check  `json:"control"`
	Notes   []string `json:"notes,omitempty"`
	Seconds float64  `json:"seconds"`
	Error   string   `json:"error,omitempty"`
	Pass    bool     `json:"pass"`
}

// check is a figure against its bar; that of a control is what shows that the scenario bites.
type check struct {
	Figure string  `json:"figure"`
	Found  float64 `json:"found"`
	Sign   string  `json:"sign"` // "<=", ">=", "=" or ">"
	Bar    float64 `json:"bar"`
	Unit   string  `json:"unit,omitempty"`
}

func (c check) pass() bool {
	switch c.Sign {
	case "<=":
		return c.Found <= c.Bar
	case ">=":
		return c.Found >= c.Bar
	case ">":
		return c.Found > c.Bar
	case "<":
		return c.Found < c.Bar
	}
	return c.Found == c.Bar
}

func (c check) String() string {
	mark := "ok  "
	if !c.pass() {
		mark = "MISS"
	}
	return fmt.Sprintf("%s %s: %.6g%s (%s %.6g%s)", mark, c.Figure, c.Found, c.Unit, c.Sign, c.Bar, c.Unit)
}

// want adds a figure of the policy, bites one of the control.
func (r *row) want(figure string, found float64, sign string, bar float64, unit string) {
	r.Checks = append(r.Checks, check{figure, found, sign, bar, unit})
}

func (r *row) bites(figure string, found float64, sign string, bar float64, unit string) {
	r.Control = append(r.Control, check{figure, found, sign, bar, unit})
}

func (r *row) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *row) print() {
	mark := "pass"
	if !r.Pass {
		mark = "FAIL"
	}
	fmt.Printf("%s  %-12s %s  [%.0f s]\n", mark, r.Name, r.What, r.Seconds)
	for _, c := range r.Checks {
		fmt.Printf("        %s\n", c)
	}
	for _, c := range r.Control {
		fmt.Printf("        %s  (control)\n", c)
	}
	for _, note := range r.Notes {
		fmt.Printf("        %s\n", note)
	}
	if r.Error != "" {
		fmt.Printf("        error: %s\n", r.Error)
	}
}

func (r *row) run(f func(*host, *row)) {
	began := time.Now()
	if err := perform(r.Name, func(h *host) { f(h, r) }); err != nil {
		r.Error = err.Error()
	}
	r.Seconds = time.Since(began).Seconds()
	r.Pass = r.Error == "" && len(r.Checks) > 0
	for _, c := range append(append([]check{}, r.Checks...), r.Control...) {
		r.Pass = r.Pass && c.pass()
	}
	r.print()
}

func main() {
	only := flag.String("only", "", "the scenarios whose name this regular expression matches")
	file := flag.String("json", "", "write all figures there")
	flag.IntVar(&divide, "divide", 1, "make this part of the calls; for trying it out, not for figures")
	flag.Parse()
	chosen, err := regexp.Compile(*only)
	if err != nil || flag.NArg() > 0 || divide < 1 {
		flag.Usage()
		os.Exit(2)
	}
	var rows []*row
	code := 0
	for _, s := range scenarios {
		if !chosen.MatchString(s.name) {
			continue
		}
		r := &row{Name: s.name, What: s.what}
		r.run(s.run)
		rows = append(rows, r)
		if !r.Pass {
			code = 1
		}
	}
	if *file != "" {
		data, err := json.MarshalIndent(rows, "", "  ")
		if err == nil {
			err = os.WriteFile(*file, append(data, '\n'), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "figures:", err)
			code = 1
		}
	}
	os.Exit(code)
}
