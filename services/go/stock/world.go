// Package stock is the stock service: which warehouse has how many pieces of a product.
//
// Its data is made from a seed when it starts and never changes: the same seed gives the same answers
// in every process, so a test or a demonstration can count on them.
package stock

import (
	"fmt"
	"hash/fnv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	stockv1 "turnout.dev/services/go/gen/shop/stock/v1"
)

// products is how many products the demonstration's catalog has: P00001 to P10000.
const products = 10_000

// warehouses is in the order in which answers list them.
var warehouses = [...]string{"Gdansk", "Lyon", "Rotterdam"}

// firstDelivery is the day from which deliveries are planned. It is fixed, so that answers are too.
var firstDelivery = time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC)

// World is the stock of all warehouses, by product id. It is read only.
type World map[string][]*stockv1.StockLevel

// NewWorld makes the stock of all products from a seed.
func NewWorld(seed uint64) World {
	world := make(World, products)
	for n := 1; n <= products; n++ {
		id := fmt.Sprintf("P%05d", n)
		world[id] = levels(seed, id)
	}
	return world
}

// levels makes the stock of one product. Not every warehouse keeps every product; each product has
// at least one that does.
func levels(seed uint64, product string) []*stockv1.StockLevel {
	home := roll(seed, product, "home") % uint64(len(warehouses))
	var found []*stockv1.StockLevel
	for n, warehouse := range warehouses {
		if uint64(n) != home && roll(seed, product, warehouse)%3 == 0 {
			continue
		}
		level := &stockv1.StockLevel{
			ProductId: product,
			Warehouse: warehouse,
			Available: int32(roll(seed, product, warehouse+" available") % 200),
			Reserved:  int32(roll(seed, product, warehouse+" reserved") % 20),
		}
		if day := roll(seed, product, warehouse+" delivery") % 90; day < 60 {
			level.NextDelivery = timestamppb.New(firstDelivery.AddDate(0, 0, int(day)))
		}
		found = append(found, level)
	}
	return found
}

// roll is a number for one question about one product: the same for the same seed, and in no visible
// relation to its neighbours.
func roll(seed uint64, product, question string) uint64 {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d/%s/%s", seed, product, question)
	// The low bits of FNV are weak; this is the last step of splitmix64, which mixes them.
	mixed := hash.Sum64()
	mixed = (mixed ^ mixed>>30) * 0xbf58476d1ce4e5b9
	mixed = (mixed ^ mixed>>27) * 0x94d049bb133111eb
	return mixed ^ mixed>>31
}
