import fc from 'fast-check';

// Under mutation alone: whether a mutant survives must not depend on luck, or two runs could not be compared. That one
// case fails is all that is asked.
fc.configureGlobal({ seed: 1, endOnFailure: true });
