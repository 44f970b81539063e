# SPDX-License-Identifier: MIT
"""What the lab's tests of an ordinary NIC share: its settings by ethtool and ip, XDP programs."""
import ctypes
import fcntl
import os
import socket
import struct
import subprocess

NAME = b"eth0"
LIBC = ctypes.CDLL(None, use_errno=True)
SIOCETHTOOL, SYS_BPF = 0x8946, 321
PIN = "/sys/fs/bpf/program"


def ip(words):
    subprocess.run(["ip", "link", "set", "dev", NAME.decode(), *words.split()], check=True)


def ethtool(command, size):
    """The structure that ETHTOOL_G... fills, to be changed and given to ethtool_set()."""
    data = bytearray(struct.pack("I", command) + bytes(size - 4))
    ethtool_call(data)
    return data


def ethtool_call(data):
    buffer = (ctypes.c_char * len(data)).from_buffer(data)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP16x", NAME, ctypes.addressof(buffer)))


def ethtool_set(get, size, command, **words):
    """Words by their index: w3=1."""
    data = ethtool(get, size)
    struct.pack_into("I", data, 0, command)
    for index, value in words.items():
        struct.pack_into("I", data, 4 * int(index[1:]), value)
    ethtool_call(data)


def queues(count):
    ethtool_set(0x3c, 36, 0x3d, w8=count)                                       # channels: combined


def rings(count):
    ethtool_set(0x10, 36, 0x11, w5=count, w8=count)


def attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def generic_netlink(family, command, attributes):
    """The first message of the answer; an error raises."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as s:
        s.send(struct.pack("IHHIIBBH", 20 + len(attributes), family, 5, 1, 0, command, 1, 0) + attributes)
        answer = s.recv(65536)
    kind, error = struct.unpack_from("H", answer, 4)[0], struct.unpack_from("i", answer, 16)[0]
    if kind == 2 and error:
        raise OSError(-error, os.strerror(-error))
    return answer


def data_split(on):
    """tcp-data-split by ethtool's netlink family: the ioctl does not have it."""
    answer = generic_netlink(16, 3, attribute(2, b"ethtool\0"))
    at = 20
    while struct.unpack_from("H", answer, at + 2)[0] != 1:                      # CTRL_ATTR_FAMILY_ID
        at += (struct.unpack_from("H", answer, at)[0] + 3) & ~3
    family = struct.unpack_from("H", answer, at + 4)[0]
    header = attribute(0x8001, attribute(2, NAME + b"\0"))
    generic_netlink(family, 16, header + attribute(11, bytes([2 if on else 1])))  # RINGS_SET


def bpf(command, layout, *values):
    """The call's result; the attributes behind those named are zero."""
    attributes = struct.pack(layout, *values)
    attributes += bytes(128 - len(attributes))
    result = LIBC.syscall(SYS_BPF, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf, command {command}: {os.strerror(ctypes.get_errno())}")
    return result


def xdp_program(code):
    """Loads the instructions, (code, registers, offset, immediate) each, and pins them at PIN."""
    if not os.path.ismount("/sys/fs/bpf"):
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
    text = b"".join(struct.pack("<BBhi", *instruction) for instruction in code)
    instructions, licence = ctypes.create_string_buffer(text), ctypes.create_string_buffer(b"GPL")
    fd = bpf(5, "IIQQ", 6, len(code), ctypes.addressof(instructions), ctypes.addressof(licence))
    name = ctypes.create_string_buffer(PIN.encode())
    if os.path.exists(PIN):
        os.unlink(PIN)
    bpf(6, "QI", ctypes.addressof(name), fd)
    os.close(fd)
