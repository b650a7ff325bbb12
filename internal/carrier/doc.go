// Package carrier holds what the adapters of delivery companies share: an HTTP client with
// rate limits, timeouts, safe retries and circuit breakers; a cache of access tokens; and
// tolerant readers for the companies' JSON.
//
// Invariants. This package never repeats a call that may have had an effect: only calls
// marked Safe and answers proving that nothing happened are retried. Every failure is a
// *domain.CarrierError. Credentials and bodies never appear in errors or hooks.
//
// Concurrency. A Resilient, a Client and Tokens are created once per company and shared;
// their only goroutine is a running token refresh, which ends within TokenTimeout.
package carrier
