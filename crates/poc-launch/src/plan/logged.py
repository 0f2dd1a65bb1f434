import os, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.dup2(log, 1)
os.dup2(log, 2)
os.close(log)
os.execvp(sys.argv[2], sys.argv[2:])
