package peers

import (
	"context"
	"net"
	"strconv"

	"google.golang.org/grpc/metadata"
)

// UserAddr is the address of a client of a Unix socket, and the user that the kernel
// says it is.
type UserAddr struct {
	net.Addr
	UID uint32
}

type userKey struct{}

// WithUser returns a context with the user at an address, if it has one.
func WithUser(ctx context.Context, addr net.Addr) context.Context {
	if a, ok := addr.(UserAddr); ok {
		return context.WithValue(ctx, userKey{}, a.UID)
	}
	return ctx
}

// User returns the user whose request it is; ok is false if that is not known.
func User(ctx context.Context) (uid uint32, ok bool) {
	uid, ok = ctx.Value(userKey{}).(uint32)
	return uid, ok
}

// userMetadata has the user of a request that comes through the pipe.
const userMetadata = "x-modelgateway-user"

// sendUser replaces what a caller may have put into the metadata.
func sendUser(ctx context.Context, md metadata.MD) {
	md.Delete(userMetadata)
	if uid, ok := User(ctx); ok {
		md.Set(userMetadata, strconv.FormatUint(uint64(uid), 10))
	}
}

// receiveUser returns the context of a call that came through the pipe.
func receiveUser(ctx context.Context) context.Context {
	values := metadata.ValueFromIncomingContext(ctx, userMetadata)
	if len(values) != 1 {
		return ctx
	}
	uid, err := strconv.ParseUint(values[0], 10, 32)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, userKey{}, uint32(uid))
}
