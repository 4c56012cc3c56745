// What a build for a board with a bitstream adds to flex.f, in dependency order, relative to this folder.
board/flex_link_pkg.sv
board/flex_uart_rx.sv
board/flex_uart_tx.sv
board/flex_link_receive.sv
board/flex_link_send.sv
board/flex_link.sv
board/flex_axi_write_mux.sv
board/flex_axi_ram.sv
board/flex_board.sv
