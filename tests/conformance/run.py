#!/usr/bin/env python3
"""Run the conformance table against one driver: run.py DRIVER CONFORMANCE HCSD KEEPER HCS TAP [LIBCOMPUTECORE].  TAP on stdout.

With DRIVER-tcp the client is connected over TCP; rows that need descriptors to be passed are skipped by name.
With computecore-DRIVER the program speaks the flat API of LIBCOMPUTECORE, which speaks to hcsd, which runs DRIVER."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

name = sys.argv[1]
conformance, hcsd, keeper, hcs, tap, *computecore = map(os.path.abspath, sys.argv[2:])
over_tcp, over_flat = name.endswith("-tcp"), name.startswith("computecore-")
below = name.removesuffix("-tcp").removeprefix("computecore-")
driver = name if over_flat else below

with tempfile.TemporaryDirectory(prefix="hcs-conformance-") as root:
    sock = pathlib.Path(root, "hcsd.sock")
    env = dict(os.environ, HCS_HOST=f"unix:{sock}", HCS_KEEPER=keeper, HCS_HCSD="/nonexistent",
               HCS_STATE_DIR=os.path.join(root, "state"), CMOCKA_MESSAGE_OUTPUT="TAP")
    token = pathlib.Path(root, "token")
    tcp = ["--tcp", "127.0.0.1:0", "--token-file", str(token)] if over_tcp else []
    wrapper = os.environ.get("HCS_TEST_WRAPPER", "").split()
    service = subprocess.Popen([*wrapper, hcsd, "--socket", str(sock), "--driver", "fake" if driver == "fake" else "oci",
                                *tcp], env=env)
    end = time.monotonic() + 60
    while True:
        with socket.socket(socket.AF_UNIX) as s:
            if s.connect_ex(str(sock)) == 0 and (not over_tcp or token.exists()):
                break
        if service.poll() is not None or time.monotonic() > end:
            sys.exit("Bail out! hcsd does not answer")
        time.sleep(0.005)
    if over_tcp:
        env.update(HCS_HOST="tcp:127.0.0.1:" + token.read_text().split()[0], HCS_TOKEN_FILE=str(token))
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
            if over_flat:
                env |= {"HCS_HOST": f"computecore:{computecore[0]}", "HCS_COMPUTECORE_HOST": f"unix:{sock}"}
            status = subprocess.run([sys.executable, tap, conformance, driver, *args], env=env).returncode
    finally:
        service.send_signal(signal.SIGTERM)
        if service.wait(60) != 0:
            print("not ok - hcsd ends with status 0")
            status = 1
sys.exit(status)
