module github.com/order-tracking/order-tracking/tools/goverter

go 1.26.0

tool github.com/jmattheis/goverter/cmd/goverter

require (
	github.com/dave/jennifer v1.6.0 // indirect
	github.com/jmattheis/goverter v1.11.1 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
)
