// An echo server on uWebSockets: `uwebsockets PORT`. Built where its sources are given.

#include <iostream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "App.h"

int main(int, char **arguments) {
    struct Nothing {};
    uWS::App app;
    uWS::App::WebSocketBehavior<Nothing> behaviour;
    behaviour.compression = uWS::DISABLED;
    behaviour.maxPayloadLength = 64 << 20;
    behaviour.maxBackpressure = 64 << 20;
    behaviour.idleTimeout = 0;
    behaviour.sendPingsAutomatically = false;
    behaviour.message = [](auto *ws, std::string_view message, uWS::OpCode opcode) { ws->send(message, opcode); };
    app.ws<Nothing>("/*", std::move(behaviour))
        .listen("127.0.0.1", std::stoi(arguments[1]), [](auto *listening) {
            if (!listening) exit(1);
#ifdef __linux__
            // As crate::pacing has it for the others.
            int socket = (int)(long)us_socket_get_native_handle(0, (us_socket_t *)listening);
            if (setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, "reno", 4)) exit(1);
#endif
            int port = us_socket_local_port(0, (us_socket_t *)listening);
            std::cout << "listening on 127.0.0.1:" << port << std::endl;
        })
        .run();
}
