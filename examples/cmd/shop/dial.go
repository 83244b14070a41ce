package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

var errUsage = errors.New("wrong options")

// parse reads options; nothing may follow them unless rest is true. What is wrong has then been printed.
func parse(flags *flag.FlagSet, args []string, rest bool) error {
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	if !rest && flags.NArg() > 0 {
		flags.Usage()
		return errUsage
	}
	return nil
}

// dial connects in the clear.
func dial(address, authority string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if authority != "" {
		options = append(options, grpc.WithAuthority(authority))
	}
	return grpc.NewClient(address, options...)
}

// explain is one line about an error: code, the reason and the attempts that a sidecar told if one did, message.
func explain(err error) string {
	said := status.Convert(err)
	for _, detail := range said.Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo && info.GetDomain() == "outrigger" {
			return said.Code().String() + " (outrigger: " + info.GetReason() + ") " + said.Message() + attempts(info)
		}
	}
	return said.Code().String() + " " + said.Message()
}

// attempts tells where the sidecar sent a call before it gave up; "" when it sent it nowhere.
func attempts(info *errdetails.ErrorInfo) string {
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(info.GetMetadata())) {
		fmt.Fprintf(&out, " [%s: %s]", key, info.GetMetadata()[key])
	}
	return out.String()
}
