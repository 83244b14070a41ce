package serve

import (
	"fmt"
	"os"
	"time"
)

// Env returns an environment variable, or the default when it is unset or empty.
func Env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// EnvDuration is Env for a duration such as 250ms.
func EnvDuration(name string, otherwise time.Duration) (time.Duration, error) {
	value := os.Getenv(name)
	if value == "" {
		return otherwise, nil
	}
	duration, err := time.ParseDuration(value)
	if err != nil || duration < 0 {
		return 0, fmt.Errorf("%s=%s: expected a duration such as 250ms", name, value)
	}
	return duration, nil
}
