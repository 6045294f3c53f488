/* place_windows.c - where a service inside a test is found, on Windows: at a port of the loopback.
 */
#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>

#include <windows.h>

#include "place.h"

#include <string.h>

#define DIRECTORY_LENGTH_MAX 60

void place_make(char *directory, size_t size)
{
    static LONG last;
    char in[MAX_PATH];
    int n;

    CHECK(GetTempPathA(sizeof in, in) > 0);
    n = snprintf(directory, size, "%shcs-test-%lu-%ld", in, GetCurrentProcessId(),
                 InterlockedIncrement(&last));
    CHECK(n > 0 && (size_t) n < size);
    CHECK(CreateDirectoryA(directory, NULL));
}

void place_remove(const char *directory)
{
    char token[MAX_PATH];

    snprintf(token, sizeof token, "%s/token", directory);
    CHECK(DeleteFileA(token) || GetLastError() == ERROR_FILE_NOT_FOUND);
    CHECK(RemoveDirectoryA(directory));
}

__attribute__((constructor)) static void sockets_begin(void)
{
    WSADATA data;

    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
}

/* A socket of IPv4 at a port of the loopback that nobody has. */
static SOCKET bound(int type, struct sockaddr_in *out)
{
    SOCKET s = socket(AF_INET, type, 0);
    int size = sizeof *out;

    *out = (struct sockaddr_in){ .sin_family = AF_INET };
    out->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(s != INVALID_SOCKET);
    CHECK(bind(s, (struct sockaddr *) out, sizeof *out) == 0);
    CHECK(getsockname(s, (struct sockaddr *) out, &size) == 0);
    return s;
}

int place_listen_tcp(struct loopback *at)
{
    struct sockaddr_in address;
    SOCKET s = bound(SOCK_STREAM, &address);

    CHECK(listen(s, 64) == 0);
    CHECK(socket_set_blocking((os_socket) s, 0, NULL) == HCS_OK);
    *at = (struct loopback){ .address = { 127, 0, 0, 1 }, .port = ntohs(address.sin_port) };
    return (int) s;
}

void place_write_token(const char *path, const char *line)
{
    FILE *f = fopen(path, "wb");

    CHECK(f && fputs(line, f) >= 0 && fclose(f) == 0);
}

int place_accept(int listener)
{
    SOCKET s = accept((SOCKET) listener, NULL, NULL);

    if (s == INVALID_SOCKET)
        return -1;
    socket_set_prompt((os_socket) s);
    return (int) s;
}

void place_wait(struct pollfd *fds, size_t n)
{
    CHECK(WSAPoll(fds, (ULONG) n, -1) >= 0);
}

/* A datagram to itself. */
int place_bell(void)
{
    struct sockaddr_in address;
    SOCKET s = bound(SOCK_DGRAM, &address);

    CHECK(connect(s, (struct sockaddr *) &address, sizeof address) == 0);
    CHECK(socket_set_blocking((os_socket) s, 0, NULL) == HCS_OK);
    return (int) s;
}

void place_ring(int bell)
{
    CHECK(send((SOCKET) bell, "", 1, 0) == 1);
}

void place_bell_clear(int bell)
{
    char byte;

    while (recv((SOCKET) bell, &byte, 1, 0) > 0)
        ;
}
