package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/outrigger/examples/internal/certificate"
)

// certificates makes key pairs for the services that are named, and gives them and other folders to the user that the services
// run as. Those that are there and valid for a while longer stay, as sidecars may use them.
func certificates(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("certificates", flag.ContinueOnError)
	folder := flags.String("folder", "tls", "where to write ca.crt, NAME.crt and NAME.key")
	valid := flags.Duration("valid", 30*24*time.Hour, "for how long")
	owner := flags.Int("owner", -1, "user and group that get the files and folders; needs root")
	give := flags.String("give", "", "folders that the owner gets, too, with commas between")
	if err := parse(flags, args, true); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("expected the names of services")
	}
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		return err
	}
	if !certificate.Last(*folder, *valid/2, flags.Args()...) {
		if err := certificate.Make(*folder, *valid, flags.Args()...); err != nil {
			return err
		}
		fmt.Printf("made key pairs in %s for %s\n", *folder, strings.Join(flags.Args(), ", "))
	}
	if *owner < 0 {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(*folder, "*"))
	if err != nil {
		return err
	}
	if *give != "" {
		paths = append(paths, strings.Split(*give, ",")...)
	}
	for _, path := range paths {
		if err := os.Chown(path, *owner, *owner); err != nil {
			return err
		}
	}
	return nil
}
