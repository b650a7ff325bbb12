package httpserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lxzan/gws"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// maxTopics is how many topics one socket may watch.
const maxTopics = 200

// many holds the topics of a socket on /ws. Messages are handled one at a time, by the goroutine that reads.
type many struct {
	*socket
	ctx    context.Context // the caller's context, detached from the request
	caller *domain.Caller

	mu     sync.Mutex
	topics []push.Topic // in the order of subscription
}

// watchMany serves several topics over one WebSocket.
func (s *Server) watchMany(ctx context.Context, c *gin.Context, up *gws.Upgrader) error {
	if err := onlyQuery(c.Request.URL, "ticket"); err != nil {
		return err
	}
	if err := s.upgradable(c); err != nil {
		return err
	}
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return err
	}
	k := s.newSocket()
	k.many = &many{socket: k, ctx: domain.WithCaller(context.Background(), caller), caller: caller}
	k.sub = s.openFor(caller, k.wake)
	k.sub.KeepOpen()
	if !caller.Staff() {
		k.sub.Own(caller.MerchantID)
	}
	if _, err := k.sub.Drain(nil); err != nil {
		k.sub.Close()
		return domain.Unavailable("the stream", err)
	}
	k.upgrade(c, up, "many")
	return nil
}

// command is a client's message.
type command struct {
	Subscribe   []string                  `json:"subscribe"`
	Unsubscribe []string                  `json:"unsubscribe"`
	Since       map[string]jsontext.Value `json:"since"` // an order's version, the cursor of orders
}

// parseCommand decodes a message: an object with at least one command.
func parseCommand(data []byte) (command, error) {
	var cmd command
	if err := json.Unmarshal(data, &cmd, json.RejectUnknownMembers(true)); err != nil {
		return cmd, err
	}
	if cmd.Subscribe == nil && cmd.Unsubscribe == nil {
		return cmd, errors.New("neither subscribe nor unsubscribe")
	}
	for name, since := range cmd.Since {
		var version int64
		var cursor string
		into := any(&version)
		if name == string(push.KindOrders) {
			into = &cursor
		}
		if err := json.Unmarshal(since, into); err != nil {
			return cmd, err
		}
	}
	return cmd, nil
}

// message executes a client's message. An invalid message ends the socket; a topic that can't be watched gets an error frame.
func (m *many) message(data []byte) {
	cmd, err := parseCommand(data)
	if err != nil {
		m.close(transport.CloseBadRequest, "unknown message")
		return
	}
	for _, name := range cmd.Unsubscribe {
		if topic, err := push.ParseTopic(name); err != nil {
			m.refuse(name, err)
		} else if m.forget(topic) {
			m.sub.Remove(topic)
		}
	}
	var wanted []push.Topic
	since := map[push.Topic]jsontext.Value{}
	for _, name := range cmd.Subscribe {
		topic, err := m.admit(name)
		if err != nil {
			m.refuse(name, err)
			continue
		}
		since[topic] = cmd.Since[name]
		if m.remember(topic) {
			wanted = append(wanted, topic)
		}
	}
	m.acknowledge()
	for _, topic := range wanted {
		if err := m.add(topic, since[topic]); err != nil {
			m.forget(topic)
			m.refuse(topic.String(), err)
		}
	}
}

// add subscribes to a topic, from a version of an order or a cursor of all orders if there
// is one; parseCommand has checked their types.
func (m *many) add(topic push.Topic, since jsontext.Value) error {
	if topic.Kind == push.KindOrders {
		var cursor string
		if len(since) > 0 {
			_ = json.Unmarshal(since, &cursor)
		}
		return m.sub.AddOrders(m.ctx, cursor)
	}
	if len(since) == 0 {
		return m.sub.Add(m.ctx, topic, nil)
	}
	var version int64
	_ = json.Unmarshal(since, &version)
	return m.sub.Add(m.ctx, topic, &version)
}

// admit parses a topic and checks whether the caller may watch it.
func (m *many) admit(name string) (push.Topic, error) {
	topic, err := push.ParseTopic(name)
	if err != nil {
		return topic, err
	}
	m.mu.Lock()
	full := len(m.topics) >= maxTopics && !slices.Contains(m.topics, topic)
	m.mu.Unlock()
	if full {
		return topic, domain.Invalid("/subscribe", "too_many", "must be at most %d topics in all", maxTopics)
	}
	switch topic.Kind {
	case push.KindFleet:
		if !m.caller.Staff() {
			err = domain.Errorf(domain.CodeForbidden, "the fleet is for dispatchers")
		}
	case push.KindOrders:
		if !m.caller.Staff() && m.caller.Kind != domain.RoleMerchant && m.caller.Kind != domain.RolePartner {
			err = domain.Errorf(domain.CodeForbidden, "all orders are for dispatchers, merchants and partners")
		}
	case push.KindOrder:
		_, err = m.server.Orders.Get(m.ctx, topic.ID)
	case push.KindCourier:
		_, err = m.server.Couriers.Get(m.ctx, topic.ID)
	}
	return topic, err
}

// remember adds the topic and reports whether it is new.
func (m *many) remember(topic push.Topic) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.topics, topic) {
		return false
	}
	m.topics = append(m.topics, topic)
	return true
}

// forget removes the topic and reports whether it was watched.
func (m *many) forget(topic push.Topic) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.topics, topic)
	if i < 0 {
		return false
	}
	m.topics = slices.Delete(m.topics, i, i+1)
	return true
}

// acknowledge sends the client the list of watched topics.
func (m *many) acknowledge() {
	m.mu.Lock()
	names := domain.Each(m.topics, func(t push.Topic) string { return t.String() })
	m.mu.Unlock()
	_ = m.send(push.Encode(typeAck, "", 0, m.now(), map[string]any{"topics": names}))
}

// refuse sends the client an error for a topic that it can't watch.
func (m *many) refuse(name string, err error) {
	p := describe(err)
	p.Instance = name
	if len(name) > domain.MaxKey {
		p.Instance = strings.ToValidUTF8(name[:domain.MaxKey], "")
	}
	_ = m.send(push.Encode(typeError, "", 0, m.now(), p))
}
