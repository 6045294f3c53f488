#!/usr/bin/env python3
"""Run a table of promises against one driver: run.py DRIVER PROGRAM HCSD KEEPER HCS TAP [LIBCOMPUTECORE].  TAP on stdout.

With DRIVER-tcp the client is connected over TCP; rows that need descriptors to be passed are skipped by name.
With computecore-DRIVER the program speaks the flat API of LIBCOMPUTECORE, which speaks to hcsd, which runs DRIVER.
A PROGRAM for Windows is run by Wine, with the service at a port of the loopback; LIBCOMPUTECORE lies beside it."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

name = sys.argv[1]
program, hcsd, keeper, hcs, tap, *computecore = map(os.path.abspath, sys.argv[2:])
for_windows = program.endswith(".exe")
over_flat = name.startswith("computecore-")
over_tcp = name.endswith("-tcp") or for_windows
below = name.removesuffix("-tcp").removeprefix("computecore-")
driver = name if over_flat else below


def address_of_the_service():
    """For the program; for Windows the whole of Linux is its drive Z:."""
    if not over_tcp:
        return f"unix:{sock}"
    return "tcp:127.0.0.1:" + token.read_text().split()[0]


def on_drive_z(path):
    return "Z:" + str(path).replace("/", "\\")


def how_to_run():
    """The program's command and what it needs to know, from its environment."""
    token_file = on_drive_z(token) if for_windows else str(token)
    own = {"HCS_HOST": address_of_the_service()}
    if over_flat or for_windows:
        own["HCS_COMPUTECORE_HOST"] = address_of_the_service()
    if over_tcp:
        own["HCS_TOKEN_FILE"] = token_file
    if not for_windows:
        if over_flat:
            own["HCS_HOST"] = f"computecore:{computecore[0]}"
        return [program], own
    for file in (program, *computecore):
        shutil.copy(file, root)
    if over_flat:
        own["HCS_HOST"] = "computecore:" + on_drive_z(pathlib.Path(root, os.path.basename(computecore[0])))
    return ["wine", os.path.join(root, os.path.basename(program))], own


with tempfile.TemporaryDirectory(prefix="hcs-conformance-") as root:
    sock = pathlib.Path(root, "hcsd.sock")
    env = dict(os.environ, HCS_HOST=f"unix:{sock}", HCS_KEEPER=keeper, HCS_HCSD="/nonexistent",
               HCS_STATE_DIR=os.path.join(root, "state"), CMOCKA_MESSAGE_OUTPUT="TAP")
    token = pathlib.Path(root, "token")
    tcp = ["--tcp", "127.0.0.1:0", "--token-file", str(token)] if over_tcp else []
    wrapper = os.environ.get("HCS_TEST_WRAPPER", "").split()
    service = subprocess.Popen([*wrapper, hcsd, "--socket", str(sock), "--group", "", "--driver", "fake" if driver == "fake" else "oci",
                                *tcp], env=env)
    end = time.monotonic() + 60
    while True:
        with socket.socket(socket.AF_UNIX) as s:
            if s.connect_ex(str(sock)) == 0 and (not over_tcp or token.exists()):
                break
        if service.poll() is not None or time.monotonic() > end:
            sys.exit("Bail out! hcsd does not answer")
        time.sleep(0.005)
    status = 1
    try:
        args = []
        if below == "oci":
            info = json.loads(subprocess.check_output([hcs, "version", "--format", "json"], env=env))["service"]
            if not any(d["name"] == "oci" for d in info["drivers"]):
                print(f"1..1\nok 1 - promises over real containers # SKIP this kernel allows no containers: {info.get('noContainers')}")
                status = 0
                args = None
            else:
                args = [os.path.join(root, "rootfs")]
                subprocess.run([hcs, "rootfs", "make", args[0]], env=env, check=True, stdout=subprocess.DEVNULL)
        if args is not None:
            command, own = how_to_run()
            status = subprocess.run([sys.executable, tap, *command, driver, *args], env=dict(env, **own)).returncode
    finally:
        service.send_signal(signal.SIGTERM)
        if service.wait(60) != 0:
            print("not ok - hcsd ends with status 0")
            status = 1
sys.exit(status)
