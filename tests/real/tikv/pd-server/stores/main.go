// Program stores plays the part of TiKV towards a real PD, and no more: it bootstraps the cluster, registers stores,
// sends their heartbeats and those of their regions, and does what PD answers when that is to transfer a leader.
// Each store has a port for clients (an empty gRPC server) and a status port, so that it can be probed.
//
// It keeps no data and speaks no Raft. Replicas are never moved: an operator of PD that asks for it stays pending.
//
// Commands on stdin, one a line: "kill ID" (ports closed, no heartbeats), "mute ID" (no heartbeats), "start ID".
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	every    = 500 * time.Millisecond
	gib      = uint64(1) << 30
	replicas = 3
	version  = "8.5.5"
)

type store struct {
	meta     *metapb.Store
	silent   bool
	killedAt time.Time // zero while it lives
	ports    []interface{ Close() error }
}

type region struct {
	meta   *metapb.Region
	leader *metapb.Peer
	term   uint64
}

type cluster struct {
	sync.Mutex
	pds     []string
	stores  map[uint64]*store
	order   []uint64
	regions map[uint64]*region
}

func main() {
	pds := flag.String("pd", "", "HOST:PORT,... of the PDs")
	count := flag.Int("regions", 12, "number of regions")
	flag.Parse()
	c := &cluster{pds: strings.Split(*pds, ","), stores: map[uint64]*store{}, regions: map[uint64]*region{}}
	for _, word := range flag.Args() { // ID=ADDRESS=STATUS_ADDRESS
		part := strings.Split(word, "=")
		id := parseID(part[0])
		c.order = append(c.order, id)
		c.stores[id] = &store{meta: &metapb.Store{
			Id: id, Address: part[1], PeerAddress: part[1], StatusAddress: part[2], Version: version,
			StartTimestamp: time.Now().Unix(), DeployPath: "/", GitHash: "none",
			Labels: []*metapb.StoreLabel{{Key: "zone", Value: "z1"}},
		}}
		check(c.stores[id].open())
	}
	for n := 0; n < *count; n++ {
		c.add(n, *count)
	}
	go c.obey()
	for {
		fmt.Fprintln(os.Stderr, "session ended:", c.session())
		time.Sleep(every)
	}
}

// add makes the n-th region: three replicas on the first stores, led by one after the other.
func (c *cluster) add(n, count int) {
	id := uint64(100 + 2*n)
	meta := &metapb.Region{Id: id, RegionEpoch: &metapb.RegionEpoch{ConfVer: 5, Version: uint64(1 + count)}}
	for i, on := range c.order[:replicas] {
		meta.Peers = append(meta.Peers, &metapb.Peer{Id: id*10 + uint64(i), StoreId: on})
	}
	if n > 0 {
		meta.StartKey = []byte{byte(n)}
	}
	if n+1 < count {
		meta.EndKey = []byte{byte(n + 1)}
	}
	c.regions[id] = &region{meta: meta, leader: meta.Peers[n%replicas], term: 6}
}

// session talks to the PD that leads, until that fails.
func (c *cluster) session() error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	connection, header, err := c.leader(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	pd := pdpb.NewPDClient(connection)
	if err := c.register(ctx, pd, header); err != nil {
		return err
	}
	streams := map[uint64]pdpb.PD_RegionHeartbeatClient{}
	for id := range c.stores {
		if streams[id], err = pd.RegionHeartbeat(ctx); err != nil {
			return err
		}
		go func() {
			for {
				answer, err := streams[id].Recv()
				if err != nil {
					cancel(err)
					return
				}
				c.carryOut(answer)
			}
		}()
	}
	for ctx.Err() == nil {
		if err := c.beat(ctx, pd, header, streams); err != nil {
			return err
		}
		time.Sleep(every)
	}
	return context.Cause(ctx)
}

// leader asks the PDs who leads them, and connects there.
func (c *cluster) leader(ctx context.Context) (*grpc.ClientConn, *pdpb.RequestHeader, error) {
	failed := errors.New("no PD leads")
	for _, address := range c.pds {
		connection, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, nil, err
		}
		// Any of them may be frozen.
		brief, cancel := context.WithTimeout(ctx, time.Second)
		members, err := pdpb.NewPDClient(connection).GetMembers(brief, &pdpb.GetMembersRequest{})
		cancel()
		if err != nil || len(members.GetLeader().GetClientUrls()) == 0 {
			connection.Close()
			failed = errors.Join(failed, err)
			continue
		}
		if url := strings.TrimPrefix(members.Leader.ClientUrls[0], "http://"); url == address {
			return connection, &pdpb.RequestHeader{ClusterId: members.Header.ClusterId}, nil
		}
		connection.Close()
	}
	return nil, nil, failed
}

// register bootstraps the cluster if that has not been done, and puts every store that lives.
func (c *cluster) register(ctx context.Context, pd pdpb.PDClient, header *pdpb.RequestHeader) error {
	known, err := pd.IsBootstrapped(ctx, &pdpb.IsBootstrappedRequest{Header: header})
	if err != nil {
		return err
	}
	if !known.Bootstrapped {
		first := c.stores[c.order[0]].meta
		whole := &metapb.Region{
			Id: 100, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1},
			Peers: []*metapb.Peer{{Id: 1000, StoreId: first.Id}},
		}
		answer, err := pd.Bootstrap(ctx, &pdpb.BootstrapRequest{Header: header, Store: first, Region: whole})
		if err = failure(answer.GetHeader(), err); err != nil {
			return err
		}
	}
	for _, id := range c.order {
		answer, err := pd.PutStore(ctx, &pdpb.PutStoreRequest{Header: header, Store: c.stores[id].meta})
		if err = failure(answer.GetHeader(), err); err != nil {
			return err
		}
	}
	return nil
}

// beat sends one round of heartbeats: every store that is not silent, every region by the store that leads it.
func (c *cluster) beat(
	ctx context.Context, pd pdpb.PDClient, header *pdpb.RequestHeader, streams map[uint64]pdpb.PD_RegionHeartbeatClient,
) error {
	c.Lock()
	defer c.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, id := range c.order {
		one := c.stores[id]
		if one.silent {
			continue
		}
		held := 0
		for _, region := range c.regions {
			for _, peer := range region.meta.Peers {
				if peer.StoreId == id {
					held++
				}
			}
		}
		now := uint64(time.Now().Unix())
		stats := &pdpb.StoreStats{
			StoreId: id, Capacity: 100 * gib, Available: 90*gib + gib/20, UsedSize: uint64(held) << 20,
			RegionCount: uint32(held), StartTime: uint32(one.meta.StartTimestamp), SlowScore: 1,
			Interval: &pdpb.TimeInterval{StartTimestamp: now - 1, EndTimestamp: now},
		}
		answer, err := pd.StoreHeartbeat(ctx, &pdpb.StoreHeartbeatRequest{Header: header, Stats: stats})
		if err = failure(answer.GetHeader(), err); err != nil {
			return err
		}
	}
	for _, region := range c.regions {
		c.elect(region)
		if c.stores[region.leader.StoreId].silent {
			continue
		}
		beat := &pdpb.RegionHeartbeatRequest{
			Header: header, Region: region.meta, Leader: region.leader, Term: region.term,
			ApproximateSize: 1 << 20, ApproximateKeys: 100, DownPeers: c.down(region),
		}
		if err := streams[region.leader.StoreId].Send(beat); err != nil {
			return err
		}
	}
	return nil
}

// elect has another replica lead when the leader's store was killed.
func (c *cluster) elect(region *region) {
	for _, peer := range region.meta.Peers {
		if c.stores[region.leader.StoreId].killedAt.IsZero() {
			return
		}
		if c.stores[peer.StoreId].killedAt.IsZero() {
			region.leader = peer
			region.term++
		}
	}
}

func (c *cluster) down(region *region) (found []*pdpb.PeerStats) {
	for _, peer := range region.meta.Peers {
		if at := c.stores[peer.StoreId].killedAt; !at.IsZero() {
			found = append(found, &pdpb.PeerStats{Peer: peer, DownSeconds: uint64(time.Since(at).Seconds()) + 1})
		}
	}
	return found
}

// carryOut transfers a leader; PD may name several stores that would do.
func (c *cluster) carryOut(answer *pdpb.RegionHeartbeatResponse) {
	c.Lock()
	defer c.Unlock()
	region, asked := c.regions[answer.RegionId], answer.GetTransferLeader()
	if region == nil || asked == nil {
		return
	}
	for _, to := range append(asked.Peers, asked.Peer) {
		for _, peer := range region.meta.Peers {
			if to != nil && peer.StoreId == to.StoreId && c.stores[to.StoreId].killedAt.IsZero() {
				region.leader = peer
				region.term++
				return
			}
		}
	}
}

// obey carries out the commands of stdin, and ends the program with it.
func (c *cluster) obey() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println("done") {
		command, id, _ := strings.Cut(lines.Text(), " ")
		c.Lock()
		one := c.stores[parseID(id)]
		one.silent = command != "start"
		switch command {
		case "kill":
			one.close()
			one.killedAt = time.Now()
		case "start":
			if !one.killedAt.IsZero() {
				check(one.open())
				one.killedAt = time.Time{}
			}
		}
		c.Unlock()
	}
	os.Exit(0)
}

func (s *store) open() error {
	data, err := net.Listen("tcp", s.meta.Address)
	if err != nil {
		return err
	}
	status, err := net.Listen("tcp", s.meta.StatusAddress)
	if err != nil {
		return err
	}
	clients := grpc.NewServer()
	operators := &http.Server{Handler: http.HandlerFunc(func(answer http.ResponseWriter, asked *http.Request) {
		if asked.URL.Path != "/status" {
			http.NotFound(answer, asked)
		}
	})}
	go clients.Serve(data)
	go operators.Serve(status)
	s.ports = []interface{ Close() error }{closer(clients.Stop), operators}
	return nil
}

func (s *store) close() {
	for _, port := range s.ports {
		port.Close()
	}
}

type closer func()

func (c closer) Close() error { c(); return nil }

func failure(header *pdpb.ResponseHeader, err error) error {
	if err == nil && header.GetError() != nil {
		err = errors.New(header.Error.String())
	}
	return err
}

func parseID(text string) uint64 {
	id, err := strconv.ParseUint(text, 10, 64)
	check(err)
	return id
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
