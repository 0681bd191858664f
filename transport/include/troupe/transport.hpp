// All of transport: sockets as awaitables.
#pragma once

#include <troupe/transport/connect_options.hpp>
#include <troupe/transport/connection_pool.hpp>
#include <troupe/transport/const_buffer.hpp>
#include <troupe/transport/datagram_batch.hpp>
#include <troupe/transport/datagram_socket.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/feed.hpp>
#include <troupe/transport/read_buffer.hpp>
#include <troupe/transport/resolver.hpp>
#include <troupe/transport/stream_socket.hpp>
#include <troupe/transport/tcp_listener.hpp>
#include <troupe/transport/tcp_options.hpp>
#include <troupe/transport/tcp_stream.hpp>
#include <troupe/transport/udp_options.hpp>
#include <troupe/transport/udp_socket.hpp>
#include <troupe/transport/unix_datagram.hpp>
#include <troupe/transport/unix_listener.hpp>
#include <troupe/transport/unix_options.hpp>
#include <troupe/transport/unix_stream.hpp>
