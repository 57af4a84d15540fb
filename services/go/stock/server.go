package stock

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	stockv1 "turnout.dev/services/go/gen/shop/stock/v1"
)

// keysMax is the most products that one BatchGetStock takes; stock.proto promises it to callers.
const keysMax = 200

// Server answers shop.stock.v1.StockService from a World.
type Server struct {
	stockv1.UnimplementedStockServiceServer
	World World
}

// GetStock answers the stock of one product.
func (s *Server) GetStock(_ context.Context, ask *stockv1.GetStockRequest) (*stockv1.GetStockResponse, error) {
	if ask.GetProductId() == "" {
		return nil, status.Error(codes.InvalidArgument, "product_id is missing")
	}
	levels, known := s.World[ask.GetProductId()]
	if !known {
		return nil, status.Errorf(codes.NotFound, "no warehouse knows product %q", ask.GetProductId())
	}
	return &stockv1.GetStockResponse{Levels: levels}, nil
}

// BatchGetStock answers the stock of several products. Each entry names its product, so unknown
// products are left out and a product that is asked for twice is answered once.
func (s *Server) BatchGetStock(_ context.Context, ask *stockv1.BatchGetStockRequest) (*stockv1.BatchGetStockResponse, error) {
	if len(ask.GetProductIds()) > keysMax {
		return nil, status.Errorf(codes.InvalidArgument, "product_ids has %d entries, at most %d are answered at once", len(ask.GetProductIds()), keysMax)
	}
	answer := &stockv1.BatchGetStockResponse{}
	seen := make(map[string]bool, len(ask.GetProductIds()))
	for _, id := range ask.GetProductIds() {
		if !seen[id] {
			seen[id] = true
			answer.Levels = append(answer.Levels, s.World[id]...)
		}
	}
	return answer, nil
}
