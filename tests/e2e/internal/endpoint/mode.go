package endpoint

import (
	"math/rand/v2"
	"time"
)

// Fault is what befalls a call.
type Fault string

// The faults. Only Refuse, BlackHole and an exclusion by GOAWAY keep a call from being executed, and a fault that
// fails without Mode.Executes.
const (
	None         Fault = ""
	Reset        Fault = "reset"         // executes, then cuts the connection with a TCP reset
	ResetStream  Fault = "reset_stream"  // executes, then RST_STREAM INTERNAL_ERROR
	Refuse       Fault = "refuse"        // RST_STREAM REFUSED_STREAM
	FailHeaders  Fault = "fail_headers"  // a trailers-only UNAVAILABLE at once
	FailTrailers Fault = "fail_trailers" // response headers, then UNAVAILABLE in the trailers
	BlackHole    Fault = "black_hole"    // reads, but says nothing more than the answers that are due, on old and new connections
	Slow         Fault = "slow"          // takes Mode.Delay longer
	Stop         Fault = "stop"          // of an endpoint with a queue: takes nothing from it
)

// PushbackMessage begins the grpc-message of failures with pushback; its value follows.
const PushbackMessage = "pushback "

// Mode is how an endpoint treats the calls that become whole from now on.
type Mode struct {
	Fault    Fault         `json:"fault"`
	Share    float64       `json:"share"`    // of the calls that the fault hits; 0: all
	Delay    time.Duration `json:"delay"`    // of Slow
	Pushback string        `json:"pushback"` // grpc-retry-pushback-ms of failures; "": none
	Executes bool          `json:"executes"` // failures come after the call was executed
}

func (m *Mode) fault() Fault {
	if m.Share > 0 && rand.Float64() >= m.Share {
		return None
	}
	return m.Fault
}
