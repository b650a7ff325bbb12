package config

// TLS encrypts REST, streams and gRPC.
type TLS struct {
	CertFile string `koanf:"cert_file"`
	KeyFile  string `koanf:"key_file"`
}

// Enabled reports whether the servers speak TLS.
func (t TLS) Enabled() bool { return t.CertFile != "" }
