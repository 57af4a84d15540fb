package stock

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	stockv1 "turnout.dev/services/go/gen/shop/stock/v1"
)

func TestTheSameSeedMakesTheSameStock(t *testing.T) {
	one, same, other := NewWorld(7), NewWorld(7), NewWorld(8)
	different := 0
	for id, levels := range one {
		for n, level := range levels {
			if !proto.Equal(level, same[id][n]) {
				t.Fatalf("%s differs between two worlds of one seed", id)
			}
			if n >= len(other[id]) || !proto.Equal(level, other[id][n]) {
				different++
			}
		}
	}
	if different < 20_000 {
		t.Errorf("another seed changed only %d entries", different)
	}
}

func TestEveryProductOfTheCatalogLiesSomewhere(t *testing.T) {
	world := NewWorld(1)
	count := map[string]int{}
	for id, levels := range world {
		if len(levels) == 0 {
			t.Errorf("%s lies nowhere", id)
		}
		for _, level := range levels {
			count[level.GetWarehouse()]++
			if level.GetProductId() != id || level.GetAvailable() < 0 || level.GetReserved() < 0 {
				t.Errorf("%s has %v", id, level)
			}
		}
	}
	if len(world) != 10_000 || world["P00001"] == nil || world["P10000"] == nil {
		t.Errorf("%d products", len(world))
	}
	for _, warehouse := range warehouses {
		if count[warehouse] < 6_000 || count[warehouse] == 10_000 {
			t.Errorf("%s keeps %d of 10000 products", warehouse, count[warehouse])
		}
	}
}

func TestABatchNamesTheProductOfEveryEntryAndLeavesUnknownOnesOut(t *testing.T) {
	server := &Server{World: NewWorld(1)}
	answer, err := server.BatchGetStock(t.Context(), &stockv1.BatchGetStockRequest{
		ProductIds: []string{"P00002", "nothing", "P00001", "P00002"},
	})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, level := range answer.GetLevels() {
		count[level.GetProductId()]++
	}
	if len(count) != 2 || count["P00001"] != len(server.World["P00001"]) || count["P00002"] != len(server.World["P00002"]) {
		t.Errorf("got %v", count)
	}
}

func TestMistakesHaveTheirStatus(t *testing.T) {
	server := &Server{World: NewWorld(1)}
	get := func(id string) error {
		_, err := server.GetStock(t.Context(), &stockv1.GetStockRequest{ProductId: id})
		return err
	}
	_, tooMany := server.BatchGetStock(t.Context(), &stockv1.BatchGetStockRequest{ProductIds: make([]string, keysMax+1)})
	for _, example := range []struct {
		what string
		err  error
		want codes.Code
	}{
		{"a known product", get("P00001"), codes.OK},
		{"an unknown product", get("P99999"), codes.NotFound},
		{"no product", get(""), codes.InvalidArgument},
		{"too many products", tooMany, codes.InvalidArgument},
	} {
		if got := status.Code(example.err); got != example.want {
			t.Errorf("%s: %s, want %s", example.what, got, example.want)
		}
	}
}
