"""hcs check and hcs explain: what they say of documents, and that it is so."""

import json
import os
import re
import subprocess

import pytest

from conftest import HCS


def hcs(*args, input=None, status=0):
    """Where no service can be reached, to show that none is needed."""
    env = dict(os.environ, NO_COLOR="1", HCS_HOST="unix:/nowhere/hcsd.sock", HCS_HCSD="/nowhere/hcsd")
    r = subprocess.run([HCS, *args], input=input, capture_output=True, text=True, env=env)
    assert r.returncode == status, r.stderr
    return r


def rows(text):
    """The table in it: first column -> the line."""
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


GOOD = {"SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"Storage": {"Path": "/srv/rootfs"}}}


def test_a_good_document_passes(tmp_path):
    path = tmp_path / "web.json"
    path.write_text(json.dumps(GOOD))
    assert "hcsd refuses nothing of it" in hcs("check", str(path)).stdout
    assert "hcsd" not in hcs("check", "--for", "schema", str(path)).stdout


@pytest.mark.parametrize("type, document, said", [
    ("ComputeSystem", '{"Container":{"Memory":{"SizeInMB":"1"}}}', "$.Container.Memory.SizeInMB must be an integer"),
    ("ComputeSystem", '{"Container":{"Memroy":{}}}', "$.Container.Memroy is not a field of Container (did you mean Memory?)"),
    ("ComputeSystem", json.dumps(GOOD | {"VirtualMachine": {}}), "$.VirtualMachine is not supported by this service"),
    ("ComputeSystem", json.dumps(GOOD | {"Container": {}}), "$.Container.Storage.Path is missing"),
    ("ComputeSystem", "{", "line 1, column 1"),
    ("ProcessParameters", '{"CommandLine":"a \\"b"}', "$.CommandLine has a quote at position 3"),
    ("ModifySettingRequest", '{}', "which hcsd does not take"),
    ("Propertys", '{}', "did you mean Properties?"),
])
def test_what_is_wrong_is_told_by_its_path(type, document, said):
    r = hcs("check", "--type", type, "-", input=document, status=1)
    assert said in r.stderr


def test_the_first_thing_that_is_wrong_is_told_and_the_help_says_so():
    document = '{"Container":{"Memroy":{},"Procesor":{}}}'
    said = hcs("check", "-", input=document, status=1).stderr
    assert "Memroy" in said and "Procesor" not in said
    manual = open(os.path.join(os.environ["SOURCE_ROOT"], "man", "hcs.1.scd")).read()
    for text in (hcs("check", "--help").stdout, manual):
        assert "the first thing that is wrong is told" in " ".join(text.split()).lower()


def test_a_virtual_machine_is_of_the_schema_and_its_fields_are_shown_as_refused():
    document = '{"VirtualMachine":{"Devices":{"Scsi":{"a.b":{"Attachments":{"0":{"Path":"x"}}}}}}}'
    shown = rows(hcs("check", "--for", "schema", "--fields", "-", input=document).stdout)
    line = shown["VirtualMachine.Devices.Scsi['a.b'].Attachments['0'].Path"]
    assert line.split()[1:] == ["string", '"x"', "refused"]


def test_numbers_of_64_bits_are_shown_as_they_are():
    document = '{"CrashParameters":[26,18446703986658459648]}'
    shown = rows(hcs("check", "-t", "CrashReport", "--fields", "-", input=document).stdout)
    assert "[26,18446703986658459648]" in shown["CrashParameters"]


def test_a_type_shows_its_fields_with_units_and_what_becomes_of_them():
    shown = rows(hcs("explain", "Storage").stdout)
    assert "honoured" in shown["Path"] and "an absolute path" in shown["Path"]
    assert "only empty" in shown["Layers"] and "refused" in shown["QoS"]
    assert "bytes per second" in rows(hcs("explain", "StorageQoS").stdout)["BandwidthMaximum"]
    assert "values" in rows(hcs("explain", "--types").stdout)["PathType"]
    assert '"SavedAsTemplate"' in hcs("explain", "State").stdout


def test_a_field_is_found_by_its_way():
    text = hcs("explain", "ComputeSystem.Container.Memory.SizeInMB").stdout
    assert text.startswith("Container_Memory.SizeInMB\n")
    assert "MiB" in text and "uint64" in text and "honoured" in text
    assert "Attachment.Path" in hcs("explain", "VirtualMachine.Devices.Scsi.Attachments.Path").stdout
    assert "(did you mean Memory?)" in hcs("explain", "Container.Memroy", status=1).stderr
    assert "no parts" in hcs("explain", "ComputeSystem.Owner.x", status=1).stderr
    assert "no type of the schema" in hcs("explain", "NoSuchThing", status=1).stderr


def test_no_command_line_is_half_understood():
    hcs("explain", "--types", "Container", status=2)
    hcs("explain", status=2)
    hcs("check", status=2)
    hcs("check", "--for", "me", "-", input="{}", status=2)
    assert "cannot read" in hcs("check", "/no/such/file.json", status=1).stderr


def test_properties_of_the_service_have_what_is_said_to_be_given(service, document):
    """The real ones of a system that has ended, and no field besides."""
    table = hcs("explain", "Properties").stdout.split("\n\n")[1]
    given = {name for name, line in rows(table).items() if re.search(r"\s\sgiven(\s|$)", line)}
    service.hcs("create", "-", "--id", "told", input=json.dumps(document))
    service.hcs("start", "told")
    running = json.loads(service.hcs("inspect", "told").stdout)[0]
    service.hcs("kill", "told")
    ended = json.loads(service.hcs("inspect", "told").stdout)[0]
    service.hcs("rm", "told")
    assert set(running) | set(ended) == given
    for properties in (running, ended):
        shown = hcs("check", "--type", "Properties", "--fields", "-", input=json.dumps(properties)).stdout
        assert "not given" not in shown
