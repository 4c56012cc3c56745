// SPDX-License-Identifier: Apache-2.0
//
// Every directive of the library, by meaning. Plain compilers see nothing of them.
//
// A dataflow region names its processes with FLEX_PROCESS: for synthesis a call, in C simulation
// a thread. FLEX_PROCESSES stands between the region's streams and its processes.

#ifndef FLEX_PRAGMAS_HPP_
#define FLEX_PRAGMAS_HPP_

#ifdef __SYNTHESIS__

#define FLEX_PRAGMA_(text) _Pragma(#text)
#define FLEX_PRAGMA(text) FLEX_PRAGMA_(HLS text)
#define FLEX_DATAFLOW FLEX_PRAGMA(DATAFLOW)
#define FLEX_PROCESSES
#define FLEX_PROCESS(...) __VA_ARGS__
#define FLEX_STREAM(name, words) FLEX_PRAGMA(STREAM variable = name depth = words)
/// States what holds in every correct program; nothing in hardware.
#define FLEX_CHECK(condition, text)

#else

#include "csim.hpp"

#define FLEX_PRAGMA(text)
#define FLEX_DATAFLOW
#define FLEX_PROCESSES csim::processes flex_processes
#define FLEX_PROCESS(...) flex_processes.start(#__VA_ARGS__, [&] { __VA_ARGS__; })
#define FLEX_STREAM(name, words) csim::bound(name, #name, words)
#define FLEX_CHECK(condition, text) csim::check(condition, text)

#endif

/// A loop iteration per cycle.
#define FLEX_PIPELINE FLEX_PRAGMA(PIPELINE II = 1)
#define FLEX_UNROLL FLEX_PRAGMA(UNROLL)
#define FLEX_INLINE FLEX_PRAGMA(INLINE)
/// A dimension of an array, all of it at once; 0 is every dimension.
#define FLEX_PARTITION(name, dimension) \
  FLEX_PRAGMA(ARRAY_PARTITION variable = name type = complete dim = dimension)
/// A process of its own, not joined with its neighbours.
#define FLEX_NO_INLINE FLEX_PRAGMA(INLINE off)

#endif  // FLEX_PRAGMAS_HPP_
