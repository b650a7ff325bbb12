// Package config loads the product's configuration, later sources overriding earlier
// ones: config.yaml (the defaults), the file named by --config, the environment, flags.
//
// config.yaml documents every key; a test keeps it in step with Config.
package config

import (
	"cmp"
	_ "embed"
	"time"

	"github.com/knadh/koanf/v2"
)

// Config is the whole configuration. config.yaml documents the keys.
type Config struct {
	Database Database `koanf:"database"`
	Redis    Redis    `koanf:"redis"`
	Kafka    Kafka    `koanf:"kafka"`
	HTTP     HTTP     `koanf:"http"`
	Spool    Spool    `koanf:"spool"`
	GRPC     GRPC     `koanf:"grpc"`
	TLS      TLS      `koanf:"tls"`
	Log      Log      `koanf:"log"`
	Access   Access   `koanf:"access"`
	OIDC     OIDC     `koanf:"oidc"`
	Orders   Orders   `koanf:"orders"`
	Tracking Tracking `koanf:"tracking"`
	Arrival  Arrival  `koanf:"arrival"`
	Routing  Routing  `koanf:"routing"`
	Estimate Estimate `koanf:"estimate"`
	Dispatch Dispatch `koanf:"dispatch"`
	Live     Live     `koanf:"live"`
	Carriers Carriers `koanf:"carriers"`
	Map      Map      `koanf:"map"`
	Brand    Brand    `koanf:"brand"`
	Call     Call     `koanf:"call"`
	Shutdown Shutdown `koanf:"shutdown"`
	Privacy  Privacy  `koanf:"privacy"`
	Proof    Proof    `koanf:"proof"`
	Limits   Limits   `koanf:"limits"`
	Webhooks Webhooks `koanf:"webhooks"`
	Notify   Notify   `koanf:"notify"`

	Geocoding Geocoding `koanf:"geocoding"`

	Retention Retention `koanf:"retention"`

	// KafkaListenExplicit reports whether kafka.listen was set, so that no other port may be used instead.
	KafkaListenExplicit bool `koanf:"-"`

	origins map[string]string
}

// Database configures the database and the retention of auxiliary rows.
type Database struct {
	URL            string        `koanf:"url" secret:"url"`
	MaxGroup       int           `koanf:"max_group" min:"1" max:"64"`
	IdempotencyFor time.Duration `koanf:"idempotency_for" min:"1m"`
	InboundFor     time.Duration `koanf:"inbound_for" min:"1m"`
	PurgeEvery     time.Duration `koanf:"purge_every" min:"1s"`
}

// Redis configures the cache that replicas share.
type Redis struct {
	URL    string `koanf:"url" secret:"url"`
	Prefix string `koanf:"prefix" rule:"text 64"`
}

// Kafka configures the brokers, or the embedded one.
type Kafka struct {
	Brokers     []string `koanf:"brokers" rule:"broker"`
	Listen      string   `koanf:"listen" rule:"address"`
	Dir         string   `koanf:"dir" rule:"text 4096"`
	Group       string   `koanf:"group" rule:"text 255"`
	Partitions  int      `koanf:"partitions" min:"1" max:"1000"`
	Replication int      `koanf:"replication" min:"1" max:"100"`
	// DeliveryTimeout is how long an event may wait for the brokers' acknowledgement.
	DeliveryTimeout time.Duration `koanf:"delivery_timeout" min:"1s"`
	// Compression of records: none, gzip, snappy, lz4 or zstd.
	Compression string    `koanf:"compression" rule:"oneof none gzip snappy lz4 zstd"`
	TLS         KafkaTLS  `koanf:"tls"`
	SASL        KafkaSASL `koanf:"sasl"`
}

// KafkaTLS encrypts the connections to the brokers.
type KafkaTLS struct {
	Enabled    bool   `koanf:"enabled"`
	CAFile     string `koanf:"ca_file"`
	CertFile   string `koanf:"cert_file"`
	KeyFile    string `koanf:"key_file"`
	ServerName string `koanf:"server_name"`
}

// KafkaSASL authenticates the product to the brokers.
type KafkaSASL struct {
	Mechanism string `koanf:"mechanism" rule:"optional oneof PLAIN SCRAM-SHA-256 SCRAM-SHA-512"`
	User      string `koanf:"user"`
	Password  string `koanf:"password" secret:"all"`
}

// Embedded reports whether the broker runs in this process.
func (k Kafka) Embedded() bool { return len(k.Brokers) == 0 }

// HTTP configures the server for REST and streams.
type HTTP struct {
	Addr              string        `koanf:"addr" rule:"address"`
	ReadHeaderTimeout time.Duration `koanf:"read_header_timeout" min:"1ms"`
	ReadTimeout       time.Duration `koanf:"read_timeout" min:"1ms"`
	IdleTimeout       time.Duration `koanf:"idle_timeout" min:"1ms"`
	MaxPerAddress     int           `koanf:"max_per_address" min:"0" max:"1000000"`
	MaxBodyBytes      int64         `koanf:"max_body_bytes" min:"1024" max:"1073741824"`
	MaxImportBytes    int64         `koanf:"max_import_bytes" min:"1048576" max:"1125899906842624"`
	AllowedOrigins    []string      `koanf:"allowed_origins" rule:"origin"`
	PublicURL         string        `koanf:"public_url" rule:"optional base"`
	AccessLog         bool          `koanf:"access_log"`
}

// Spool configures temporary storage of uploads.
type Spool struct {
	Dir string `koanf:"dir" rule:"text 4096"`
	Max int64  `koanf:"max" min:"1048576" max:"1125899906842624"`
}

// GRPC configures the gRPC server.
type GRPC struct {
	Addr            string `koanf:"addr" rule:"address"`
	MaxMessageBytes int    `koanf:"max_message_bytes" min:"1024" max:"1073741824"`
}

// Log configures the log's level and format.
type Log struct {
	Level  string `koanf:"level" rule:"oneof debug info warn error"`
	Format string `koanf:"format" rule:"oneof auto console json"`
}

// Access holds the first administrator's key. Load sets BootstrapAdminKey also from the key file; empty means protected mode.
type Access struct {
	BootstrapAdminKey     string `koanf:"bootstrap_admin_key" secret:"all" rule:"optional key"`
	BootstrapAdminKeyFile string `koanf:"bootstrap_admin_key_file"`
	SecretKey             string `koanf:"secret_key" secret:"all" rule:"optional key"`
}

// Orders configures orders.
type Orders struct {
	PhoneRegion string `koanf:"phone_region" rule:"optional region"`
}

// Tracking configures couriers' positions.
type Tracking struct {
	StaleAfter  time.Duration `koanf:"stale_after" min:"1s"`
	History     bool          `koanf:"history"`
	HistoryFor  time.Duration `koanf:"history_for" min:"1m"`
	MaxSpeed    float64       `koanf:"max_speed" min:"1" max:"10000"`
	MaxAccuracy float64       `koanf:"max_accuracy" min:"1" max:"10000000"`
}

// Arrival configures what is derived from couriers' positions.
type Arrival struct {
	Automatic     bool          `koanf:"automatic"`
	PickupRadius  float64       `koanf:"pickup_radius" min:"1" max:"100000"`
	DropoffRadius float64       `koanf:"dropoff_radius" min:"1" max:"100000"`
	Dwell         time.Duration `koanf:"dwell" min:"0s"`
	Near          float64       `koanf:"near" min:"1" max:"1000000"`
	SilentAfter   time.Duration `koanf:"silent_after" min:"1s"`
}

// Routing configures a road router.
type Routing struct {
	URL     string        `koanf:"url" secret:"url" rule:"optional base"`
	Timeout time.Duration `koanf:"timeout" min:"1ms"`
}

// Geocoding configures the server that finds addresses.
type Geocoding struct {
	URL       string        `koanf:"url" secret:"url" rule:"optional base"`
	API       string        `koanf:"api" rule:"oneof nominatim photon"`
	Every     time.Duration `koanf:"every" min:"1ms" max:"1h"`
	Timeout   time.Duration `koanf:"timeout" min:"1ms" max:"1m"`
	UserAgent string        `koanf:"user_agent" rule:"optional text 200"`
	Language  string        `koanf:"language" rule:"optional text 35"`
	Countries []string      `koanf:"countries" rule:"region"`
}

// Estimate configures the estimates of arrival times.
type Estimate struct {
	Speeds   Speeds        `koanf:"speeds"`
	Detour   float64       `koanf:"detour" min:"1" max:"10"`
	Handover time.Duration `koanf:"handover" min:"0s"`
	Dispatch time.Duration `koanf:"dispatch" min:"0s"`
	Default  time.Duration `koanf:"default" min:"1s"`
	FreshFor time.Duration `koanf:"fresh_for" min:"1s"`
}

// Speeds holds couriers' speeds by vehicle in metres per second.
type Speeds struct {
	Foot      float64 `koanf:"foot" min:"0.1" max:"100"`
	Bicycle   float64 `koanf:"bicycle" min:"0.1" max:"100"`
	Motorbike float64 `koanf:"motorbike" min:"0.1" max:"100"`
	Car       float64 `koanf:"car" min:"0.1" max:"100"`
	Van       float64 `koanf:"van" min:"0.1" max:"100"`
}

// Dispatch configures how couriers are chosen for orders.
type Dispatch struct {
	Mode        string        `koanf:"mode" rule:"oneof manual suggest assign offer"`
	Step        time.Duration `koanf:"step" min:"1s"`
	Bundle      int           `koanf:"bundle" min:"1" max:"20"`
	Patience    time.Duration `koanf:"patience" min:"1m"`
	PickupTime  time.Duration `koanf:"pickup_time" min:"0s"`
	OfferFor    time.Duration `koanf:"offer_for" min:"1s"`
	OfferTotal  time.Duration `koanf:"offer_total" min:"1s"`
	OfferAtOnce int           `koanf:"offer_at_once" min:"1" max:"50"`
	OnNoTaker   string        `koanf:"on_no_taker" rule:"oneof widen assign alert"`
}

// Live configures live streams.
type Live struct {
	Queue      int           `koanf:"queue" min:"1" max:"1048576"`
	PingEvery  time.Duration `koanf:"ping_every" min:"1s"`
	MaxStreams int           `koanf:"max_streams" min:"0" max:"16777216"`
	FleetTick  time.Duration `koanf:"fleet_tick" min:"1ms"`
}

// Carriers configures the delivery companies.
type Carriers struct {
	Sandbox bool   `koanf:"sandbox"`
	HookURL string `koanf:"hook_url" rule:"optional hook"`
	// AccountsFile names a file with further accounts; Accounts is its content.
	AccountsFile string           `koanf:"accounts_file"`
	Accounts     []CarrierAccount `koanf:"-"`
	CDEK         CarrierAccount   `koanf:"cdek"`
}

// Values of base_url that stand for URLs.
const (
	CarrierProduction = "production"
	CarrierTest       = "test"
	CarrierEmulator   = "emulator"
)

// Emulated reports whether CDEK is the emulator in this process.
func (c Carriers) Emulated() bool { return c.Sandbox || c.CDEK.BaseURL == CarrierEmulator }

// Map configures the base map of the pages: a file, else tiles, else none.
type Map struct {
	PMTiles     string `koanf:"pmtiles"`
	Tiles       string `koanf:"tiles" rule:"optional tiles"`
	Attribution string `koanf:"attribution" rule:"optional text 200"`
}

// Brand configures the pages' name, logo (a file) and colour.
type Brand struct {
	Name   string `koanf:"name" rule:"optional text 60"`
	Logo   string `koanf:"logo"`
	Accent string `koanf:"accent" rule:"optional color"`
}

// Call connects customers and couriers.
type Call struct {
	URL string `koanf:"url" rule:"optional call"`
}

// Limits configures the rate limits of callers.
type Limits struct {
	KeyRate     float64 `koanf:"key_rate" min:"0" max:"1000000"`
	KeyBurst    int     `koanf:"key_burst" min:"1" max:"10000000"`
	FailedRate  float64 `koanf:"failed_rate" min:"0" max:"1000000"`
	FailedBurst int     `koanf:"failed_burst" min:"1" max:"10000000"`
}

// Proof configures proofs of delivery.
type Proof struct {
	// Offline says what a delivery needs whose PIN could not be checked: photo or refuse.
	Offline string `koanf:"offline" rule:"oneof photo refuse"`
}

// Privacy holds the default privacy rules; stored settings override them.
type Privacy struct {
	ShowCourier string `koanf:"show_courier" rule:"show_courier"`
}

// Retention configures how long customers' data is kept; stored settings override it.
type Retention struct {
	Personal time.Duration `koanf:"personal" min:"0s"`
}

// Shutdown configures the graceful stop.
type Shutdown struct {
	Delay   time.Duration `koanf:"delay" min:"0s"`
	Timeout time.Duration `koanf:"timeout" min:"1s"`
}

//go:embed config.yaml
var defaults []byte

// Load builds the configuration from flags (without the program's name) and an environment as os.Environ returns it, and the
// files that these name. For --help it returns pflag.ErrHelp; every other error is one line that names the key and the
// source of its value, and contains no secrets.
func Load(args, environ []string) (*Config, error) {
	fromFlags, path, flagsErr := flagLayer(args)
	fromDefaults, defaultsErr := yamlLayer(originDefault, defaults)
	fromFile, fileErr := fileLayer(path)
	fromEnv, envErr := envLayer(environ)
	if err := cmp.Or(flagsErr, defaultsErr, fileErr, envErr); err != nil {
		return nil, err
	}
	c, err := merge(fromDefaults, fromFile, fromEnv, fromFlags)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(c.readAdminKey(), c.readCarrierAccounts()); err != nil {
		return nil, err
	}
	return c, c.validate()
}

// merge merges the layers; later ones override earlier ones.
func merge(layers ...layer) (*Config, error) {
	c := &Config{origins: map[string]string{}}
	k := koanf.New(".")
	for _, l := range layers {
		for key, v := range l {
			if err := k.Set(key, v.value); err != nil {
				return nil, err
			}
			c.origins[key] = v.origin
		}
	}
	if err := k.Unmarshal("", c); err != nil {
		return nil, err
	}
	c.KafkaListenExplicit = c.Explicit("kafka.listen")
	return c, nil
}

// Origin returns the source of the value of a key such as "http.addr": "default",
// "file NAME", "environment NAME" or "flag --NAME".
func (c *Config) Origin(key string) string { return c.origins[key] }

// Explicit reports whether the key was set, even to its default.
func (c *Config) Explicit(key string) bool {
	origin, known := c.origins[key]
	return known && origin != originDefault
}

// TLS encrypts REST, streams and gRPC.
type TLS struct {
	CertFile string `koanf:"cert_file"`
	KeyFile  string `koanf:"key_file"`
	ACME     ACME   `koanf:"acme"`
}

// ACME gets the certificate from a certificate authority that speaks ACME (RFC 8555).
type ACME struct {
	Host      string `koanf:"host"`
	Email     string `koanf:"email"`
	Directory string `koanf:"directory"`
	CAFile    string `koanf:"ca_file"`
	Dir       string `koanf:"dir"`
}

// Enabled reports whether the servers speak TLS.
func (t TLS) Enabled() bool { return t.CertFile != "" || t.ACME.Host != "" }
