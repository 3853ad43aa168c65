// The parser and the composer of uWebSockets, without its sockets: its WebSocketProtocol, with the part of its
// WebSocketContext that assembles messages and checks text, for messages that are not compressed.

#include <string>

#include "WebSocketProtocol.h"

using OnMessage = void (*)(void *user, const char *data, size_t length);

// Whatever is wrong is told as a message from nowhere.
template <bool isServer>
struct Receiver {
    uWS::WebSocketState<isServer> state;
    std::string fragmentBuffer;
    OnMessage onMessage;
    void *user;

    static constexpr uint64_t maxPayloadLength = 64 << 20;

    static bool setCompressed(uWS::WebSocketState<isServer> *, void *) { return false; }

    static void forceClose(uWS::WebSocketState<isServer> *, void *self, std::string_view) {
        auto *receiver = static_cast<Receiver *>(self);
        receiver->onMessage(receiver->user, nullptr, 0);
    }

    static bool refusePayloadLength(uint64_t length, uWS::WebSocketState<isServer> *, void *) {
        return maxPayloadLength < length;
    }

    static bool handleFragment(char *data, size_t length, unsigned int remainingBytes, int opCode, bool fin,
                               uWS::WebSocketState<isServer> *state, void *self) {
        auto *receiver = static_cast<Receiver *>(self);
        auto &buffer = receiver->fragmentBuffer;
        if (opCode >= 3) {
            forceClose(state, self, "no control frames here");
            return true;
        }
        if (!remainingBytes && fin && !buffer.length()) {
            return receiver->emit(data, length, opCode);
        }
        if (!buffer.length()) {
            buffer.reserve(length + remainingBytes);
        }
        if (refusePayloadLength(length + buffer.length(), state, self)) {
            forceClose(state, self, uWS::ERR_TOO_BIG_MESSAGE);
            return true;
        }
        buffer.append(data, length);
        if (!remainingBytes && fin) {
            if (receiver->emit(buffer.data(), buffer.length(), opCode)) {
                return true;
            }
            buffer.clear();
        }
        return false;
    }

    bool emit(char *data, size_t length, int opCode) {
        if (opCode == 1 && !uWS::protocol::isValidUtf8(reinterpret_cast<unsigned char *>(data), length)) {
            forceClose(&state, this, uWS::ERR_INVALID_TEXT);
            return true;
        }
        onMessage(user, data, length);
        return false;
    }
};

// Calls `work` with a `Receiver` of the right kind.
template <typename Work>
static auto either(bool server, Work work) {
    return server ? work(static_cast<Receiver<true> *>(nullptr)) : work(static_cast<Receiver<false> *>(nullptr));
}

extern "C" {

void *peers_uws_new(bool server, OnMessage onMessage, void *user) {
    return either(server, [&](auto *kind) -> void * {
        auto *receiver = new std::remove_pointer_t<decltype(kind)>;
        receiver->onMessage = onMessage;
        receiver->user = user;
        return receiver;
    });
}

void peers_uws_delete(bool server, void *receiver) {
    either(server, [&](auto *kind) { delete static_cast<decltype(kind)>(receiver); });
}

void peers_uws_receive_server(void *self, char *data, unsigned int length) {
    auto *receiver = static_cast<Receiver<true> *>(self);
    uWS::WebSocketProtocol<true, Receiver<true>>::consume(data, length, &receiver->state, receiver);
}

void peers_uws_receive_client(void *self, char *data, unsigned int length) {
    auto *receiver = static_cast<Receiver<false> *>(self);
    uWS::WebSocketProtocol<false, Receiver<false>>::consume(data, length, &receiver->state, receiver);
}

size_t peers_uws_format(bool server, char *to, const char *from, size_t length) {
    return server ? uWS::protocol::formatMessage<true>(to, from, length, uWS::BINARY, length, false, true)
                  : uWS::protocol::formatMessage<false>(to, from, length, uWS::BINARY, length, false, true);
}

}
