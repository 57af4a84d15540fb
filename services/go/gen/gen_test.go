package gen

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	stockv1 "turnout.dev/services/go/gen/shop/stock/v1"
)

func TestTheDescriptorSetIsCompleteHasCommentsAndIsThatOfTheCode(t *testing.T) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(Descriptors, set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set) // Refuses a set that lacks an import.
	if err != nil {
		t.Fatal(err)
	}
	file, err := files.FindFileByPath("shop/stock/v1/stock.proto")
	if err != nil {
		t.Fatal(err)
	}
	service := file.Services().ByName("StockService")
	if comment := file.SourceLocations().ByDescriptor(service).LeadingComments; comment != " Answers what is in stock, and where.\n" {
		t.Errorf("the service's comment is %q", comment)
	}
	ours, compiled := protodesc.ToFileDescriptorProto(file), protodesc.ToFileDescriptorProto(stockv1.File_shop_stock_v1_stock_proto)
	ours.SourceCodeInfo, compiled.SourceCodeInfo = nil, nil
	if !proto.Equal(ours, compiled) {
		t.Error("stock.binpb and stock.pb.go are of different protos: run gen.sh")
	}
}
