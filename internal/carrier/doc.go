// Package carrier holds what the adapters of delivery companies share: an HTTP
// client whose calls are limited, timed, retried only where that can do no harm and
// cut off while the company is down; a cache of access tokens; and readers for the
// things that their JSON gets wrong.
//
// Invariants. A call that may have had an effect is never sent twice by this
// package: only calls marked Safe and answers that prove that nothing happened are
// retried. Every failure is a *domain.CarrierError. Credentials and bodies appear
// in no error and no hook.
//
// Concurrency. A Guard, a Client and Tokens are made once per company and shared;
// they hold no goroutine but a refresh of a token that is under way, which ends by
// itself within TokenTimeout.
package carrier
