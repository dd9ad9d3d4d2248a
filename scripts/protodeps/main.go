// Command protodeps writes the third-party .proto files that proto/ imports, and
// that of the details of errors, which clients read.
//
// It prints them from the descriptors inside the Go modules that the server
// links, so go.sum pins them and no registry of protos is needed.
//
// It is a module of its own, so that users of the main module do not depend on
// the printer.
//
// Usage: go run -C scripts/protodeps . DIR
package main

import (
	"fmt"
	"os"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/desc"
	"github.com/jhump/protoreflect/desc/protoprint"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/reflect/protoreflect"

	// The main module selects the versions of the modules above: the protos
	// printed are those that the server links.
	_ "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protodeps DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	var files []*desc.FileDescriptor
	for _, f := range []protoreflect.FileDescriptor{
		validate.File_buf_validate_validate_proto,
		annotations.File_google_api_annotations_proto,
		annotations.File_google_api_http_proto,
		errdetails.File_google_rpc_error_details_proto,
	} {
		wrapped, err := desc.WrapFile(f)
		if err != nil {
			return fmt.Errorf("wrap %s: %w", f.Path(), err)
		}
		files = append(files, wrapped)
	}
	printer := protoprint.Printer{Compact: true}
	return printer.PrintProtosToFileSystem(files, dir)
}
