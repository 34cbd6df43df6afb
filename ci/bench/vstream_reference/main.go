// The reference of ci/bench/streams.py: what Vitess's own Go client costs that reads a VStream copy and only counts.
// As examples/local/vstream_client.go of the release, without the printing; built against the same pinned modules
// as the release's programs.
//
//	vstream_reference HOST:PORT KEYSPACE SHARD TABLE
//
// Prints one JSON object when the copy is complete.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"

	_ "vitess.io/vitess/go/vt/vtgate/grpcvtgateconn"
	"vitess.io/vitess/go/vt/vtgate/vtgateconn"

	binlogdatapb "vitess.io/vitess/go/vt/proto/binlogdata"
	topodatapb "vitess.io/vitess/go/vt/proto/topodata"
	vtgatepb "vitess.io/vitess/go/vt/proto/vtgate"
)

type result struct {
	Rows      int     `json:"rows"`
	Responses int     `json:"responses"`
	Seconds   float64 `json:"seconds"` // from the call to the last row
	CPUS      float64 `json:"cpu_s"`   // of the whole process, user and system
}

func main() {
	ctx := context.Background()
	address, keyspace, shard, table := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	conn, err := vtgateconn.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	start := &binlogdatapb.VGtid{ShardGtids: []*binlogdatapb.ShardGtid{{Keyspace: keyspace, Shard: shard}}}
	filter := &binlogdatapb.Filter{Rules: []*binlogdatapb.Rule{{Match: table, Filter: "select * from " + table}}}
	began := time.Now()
	reader, err := conn.VStream(ctx, topodatapb.TabletType_PRIMARY, start, filter, &vtgatepb.VStreamFlags{})
	if err != nil {
		log.Fatal(err)
	}
	var found result
	for {
		events, err := reader.Recv()
		if err != nil {
			log.Fatal(err)
		}
		found.Responses++
		for _, event := range events {
			switch event.Type {
			case binlogdatapb.VEventType_ROW:
				found.Rows++
				found.Seconds = time.Since(began).Seconds()
			case binlogdatapb.VEventType_COPY_COMPLETED:
				if event.Shard == "" {
					found.print()
					return
				}
			}
		}
	}
}

func (found result) print() {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	found.CPUS = time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	line, err := json.Marshal(found)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}
