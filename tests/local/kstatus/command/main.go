// Command kstatus reads objects, one JSON document after the other, and says of each in a line of JSON what kstatus makes
// of it: the library with which Flux, cli-utils and others judge whether an object is ready.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type result struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	documents, results := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var document json.RawMessage
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(document); err != nil {
			return err
		}
		found, err := status.Compute(&object)
		if err != nil {
			return err
		}
		if err := results.Encode(result{Status: found.Status.String(), Message: found.Message}); err != nil {
			return err
		}
	}
}
