// SPDX-License-Identifier: Apache-2.0
//
// Which pixels of memory a read of the store engine brings.

package flex_store_pkg;

  // In this order a beat's multiplexers cost least: Yosys then builds a LUT a bit.
  typedef enum logic [1:0] {
    SourceSingle,    // one at most, by way of the pool
    SourceAdjacent,  // adjacent ones
    SourceSecond,    // every second one
    SourceFourth     // every fourth one
  } source_e;

  // Columns of a phase per read, where pixel x of memory lies in phase x mod `phases`: all phases
  // together fill at most a beat. A single column comes as SourceSingle instead.
  function automatic int unsigned phase_columns(int unsigned raw_pixels, int unsigned beat_pixels,
                                                int unsigned phases);
    int unsigned columns;
    columns = beat_pixels / phases;
    if (columns > raw_pixels) columns = raw_pixels;
    return (columns > 1) ? columns : 1;
  endfunction

  // Whether pooled windows of two columns, two apart, may go in pairs.
  function automatic bit store_pairs(int unsigned pool_pixels, int unsigned beat_pixels);
    return pool_pixels == 4 && beat_pixels > 1;
  endfunction

endpackage
