import os, sys, subprocess, signal, tempfile, pathlib, time, json
B=pathlib.Path('/tmp/wt/f/build')
os.environ.setdefault("HCS_BIN",str(B/'src/cli/hcs')); os.environ.setdefault("HCSD_BIN",str(B/'src/hcsd/hcsd')); os.environ.setdefault("KEEPER_BIN",str(B/'src/keeper/hcs-keeper'))
sys.path.insert(0,'/tmp/wt/f/tests/integration')
import conftest
from conftest import Service, wait_for
p=pathlib.Path(tempfile.mkdtemp(prefix='hcs-f-'))
s=Service(p)
iso=sys.argv[1] if len(sys.argv)>1 else 'none'
if iso=='none': args=['--isolation','none']
else:
    s.hcs('rootfs','make',p/'rootfs',check=0); args=['--rootfs',str(p/'rootfs')]
a=s.popen('run','--id','a',*args,'--','sh','-c','echo up; read x; exit 5',stdin=subprocess.PIPE,stdout=subprocess.PIPE)
b=s.popen('run','--id','b',*args,'--','sh','-c','echo up; exec sleep 1000',stdout=subprocess.PIPE)
assert a.stdout.readline()==b.stdout.readline()=='up\n'
s.process.kill(); s.process.wait(); 
print('runs ended', a.wait(), b.wait())
a.stdin.write('go\n'); a.stdin.close()
wait_for(lambda: list((p/'run/systems').glob('a.*/exit.*')),'record')
t=time.time(); s.start(); print('start', time.time()-t)
print(s.read_log())
for e in s.events(): print(e['sequence'],e['name'],e['system']['id'],e.get('processId'),e.get('exit'))
print(s.list())
r=s.hcs('exec','b','--','sh','-c','exit 9'); print('exec',r.returncode,r.stderr)
r=s.hcs('stop','b','--time','1'); print('stop',r.returncode,r.stderr)
r=s.hcs('stop','a'); print('stop',r.returncode,r.stderr)
for e in s.events()[5:]: print(e['sequence'],e['name'],e['system']['id'],e.get('processId'),e.get('exit'))
print(os.listdir(p/'run/systems'))
print('stop', s.stop()); print(s.read_log())
import shutil; shutil.rmtree(p)
