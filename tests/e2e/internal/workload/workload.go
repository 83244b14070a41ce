// Package workload is a SPIFFE Workload API of the test's own: a gRPC server on a unix socket that gives what it is told,
// sound or broken, to whoever asks for X509-SVIDs. Messages are written field by field with the public numbers.
package workload

import (
	"context"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// SVID is what one answer holds, all certificates as DER.
type SVID struct {
	ID         string
	Chain      []byte // certificates one behind the other
	Key        []byte // PKCS #8
	Bundle     []byte
	CRLs       [][]byte
	Federated  map[string][]byte // bundles by the id of their trust domain
	Alternates []SVID            // SVIDs behind the first
}

func (s SVID) svid() []byte {
	var b []byte
	b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), []byte(s.ID))
	b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), s.Chain)
	b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), s.Key)
	b = protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), s.Bundle)
	return protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), []byte("hint"))
}

// Message is the X509SVIDResponse.
func (s SVID) Message() []byte {
	var b []byte
	for _, one := range append([]SVID{s}, s.Alternates...) {
		b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), one.svid())
	}
	for _, crl := range s.CRLs {
		b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), crl)
	}
	for id, bundle := range s.Federated {
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id)
		entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), bundle)
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), entry)
	}
	return b
}

// raw passes messages as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

// Server is the API. What is given goes to every stream at once, and is what a new stream gets first.
type Server struct {
	server *grpc.Server

	mu      sync.Mutex
	message []byte // nil: nothing yet
	refuse  error
	streams map[chan []byte]context.CancelFunc
	opened  int
}

// Listen serves on a unix socket.
func Listen(t testing.TB, path string) *Server {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{streams: map[chan []byte]context.CancelFunc{}}
	s.server = grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(s.handle))
	go func() { _ = s.server.Serve(listener) }()
	t.Cleanup(s.Stop)
	return s
}

// Give sends a message to every stream.
func (s *Server) Give(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.message, s.refuse = message, nil
	for stream := range s.streams {
		stream <- message
	}
}

// Refuse ends every stream, and answers new ones with the error.
func (s *Server) Refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
	for _, cancel := range s.streams {
		cancel()
	}
}

// Opened is how many streams were begun.
func (s *Server) Opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// Stop ends it, with all connections.
func (s *Server) Stop() { s.server.Stop() }

func (s *Server) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	header, _ := metadata.FromIncomingContext(stream.Context())
	if method != "/SpiffeWorkloadAPI/FetchX509SVID" {
		return status.Errorf(codes.Unimplemented, "no method %s", method)
	}
	if got := header.Get("workload.spiffe.io"); len(got) != 1 || got[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	var request []byte
	if err := stream.RecvMsg(&request); err != nil || len(request) != 0 {
		return status.Errorf(codes.InvalidArgument, "expected one empty message: %v", err)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	messages := make(chan []byte, 64)
	s.mu.Lock()
	s.opened++
	refuse := s.refuse
	if refuse == nil {
		s.streams[messages] = cancel
		if s.message != nil {
			messages <- s.message
		}
	}
	s.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	defer func() {
		s.mu.Lock()
		delete(s.streams, messages)
		s.mu.Unlock()
	}()
	for {
		select {
		case message := <-messages:
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
		case <-ctx.Done():
			return status.Error(codes.Unavailable, "the agent is going away")
		}
	}
}
