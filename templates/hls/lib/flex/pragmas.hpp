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
/// A dimension of the blocks that a stream of blocks holds, all of it at once.
#define FLEX_BLOCKS(name, dimension) \
  FLEX_PRAGMA(ARRAY_PARTITION variable = name type = complete dim = dimension)
/// States what holds in every correct program; nothing in hardware.
#define FLEX_CHECK(condition, text)

#else

#include "csim.hpp"

#define FLEX_PRAGMA(text) static_cast<void>(0)
#define FLEX_DATAFLOW FLEX_PRAGMA()
#define FLEX_PROCESSES csim::processes flex_processes
#define FLEX_PROCESS(...) flex_processes.start(#__VA_ARGS__, [&] { __VA_ARGS__; })
#define FLEX_STREAM(name, words) csim::bound(name, #name, words)
#define FLEX_BLOCKS(name, dimension) csim::bound(name, #name, dimension)
#define FLEX_CHECK(condition, text) csim::check(condition, text)

#endif

/// A loop iteration per cycle.
#define FLEX_PIPELINE FLEX_PRAGMA(PIPELINE II = 1)
/// Iterations, for the tool's report.
#define FLEX_TRIP_COUNT(least, most) FLEX_PRAGMA(LOOP_TRIPCOUNT min = least max = most)
#define FLEX_UNROLL FLEX_PRAGMA(UNROLL)
#define FLEX_INLINE FLEX_PRAGMA(INLINE)
/// A dimension of an array, all of it at once; 0 is every dimension.
#define FLEX_PARTITION(name, dimension) \
  FLEX_PRAGMA(ARRAY_PARTITION variable = name type = complete dim = dimension)
/// A process of its own, not joined with its neighbours.
#define FLEX_NO_INLINE FLEX_PRAGMA(INLINE off)

#endif  // FLEX_PRAGMAS_HPP_
