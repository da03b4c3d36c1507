"""Last words of many languages, a signature each: the rule they call for, the exit code, the log."""

from __future__ import annotations

from tests.incidents.build import INCIDENTS, Incident
from tests.incidents.logs import crashed

SIGNATURES: dict[str, tuple[str, int, str]] = {
    "log-python-import": (
        "log-python-import-error",
        1,
        (
            "Traceback (most recent call last):\n"
            '  File "/app/main.py", line 3, in <module>\n'
            "    from flask import Markup\n"
            "ImportError: cannot import name 'Markup' from 'flask' (/usr/local/lib/python3.11/site-packages/flask/__init__.py)"
        ),
    ),
    "log-node-module": (
        "log-node-module-missing",
        1,
        (
            "node:internal/modules/cjs/loader:1080\n  throw err;\n  ^\n\n"
            "Error: Cannot find module 'express'\nRequire stack:\n- /app/index.js\n"
            "    at Module._resolveFilename (node:internal/modules/cjs/loader:1077:15)\n"
            "    at Module._load (node:internal/modules/cjs/loader:922:27) {\n"
            "  code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/app/index.js' ]\n}\n\nNode.js v18.19.0"
        ),
    ),
    "log-java-class": (
        "log-java-class-missing",
        1,
        "Error: Could not find or load main class com.shop.Main\nCaused by: java.lang.ClassNotFoundException: com.shop.Main",
    ),
    "log-java-jar": ("log-java-class-missing", 1, "Error: Unable to access jarfile /app/shop.jar"),
    "log-ruby-gem": (
        "log-ruby-gem-missing",
        1,
        (
            "<internal:/usr/local/lib/ruby/3.2.0/rubygems/core_ext/kernel_require.rb>:85:in `require': "
            "cannot load such file -- sinatra (LoadError)\n"
            "\tfrom <internal:/usr/local/lib/ruby/3.2.0/rubygems/core_ext/kernel_require.rb>:85:in `require'\n"
            "\tfrom /app/app.rb:1:in `<main>'"
        ),
    ),
    "log-shared-library": (
        "log-shared-library-missing",
        127,
        (
            "/app/server: error while loading shared libraries: libpq.so.5: cannot open shared object file: "
            "No such file or directory"
        ),
    ),
    "log-glibc-version": (
        "log-shared-library-missing",
        1,
        "/app/server: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /app/server)",
    ),
    "log-php-class": (
        "log-class-missing",
        255,
        'PHP Fatal error:  Uncaught Error: Class "Redis" not found in /app/index.php:7',
    ),
    "log-dotnet-assembly": (
        "log-class-missing",
        134,
        (
            "Unhandled exception. System.IO.FileNotFoundException: Could not load file or assembly "
            "'Npgsql, Version=8.0.0.0, Culture=neutral'. The system cannot find the file specified."
        ),
    ),
    "log-file-python": (
        "log-file-missing",
        1,
        (
            "Traceback (most recent call last):\n"
            '  File "/app/main.py", line 7, in <module>\n'
            "    config = open('/etc/shop/config.yaml')\n"
            "FileNotFoundError: [Errno 2] No such file or directory: '/etc/shop/config.yaml'\n"
            "starting shop"
        ),
    ),
    "log-file-busybox": ("log-file-missing", 1, "cat: can't open '/etc/shop/app.conf': No such file or directory"),
    "log-file-node": (
        "log-file-missing",
        254,
        (
            "npm error code ENOENT\nnpm error syscall open\nnpm error path /app/package.json\nnpm error errno -2\n"
            "npm error enoent Could not read package.json: Error: ENOENT: no such file or directory, open '/app/package.json'\n"
            "npm error enoent This is related to npm not being able to find a file.\n"
            "npm error A complete log of this run can be found in: /home/node/.npm/_logs/2026-11-21.log"
        ),
    ),
    "log-env-python": (
        "log-env-missing",
        1,
        (
            'Traceback (most recent call last):\n  File "/app/main.py", line 4, in <module>\n'
            "    url = os.environ['DATABASE_URL']\n"
            "  File \"<frozen os>\", line 679, in __getitem__\nKeyError: 'DATABASE_URL'"
        ),
    ),
    "log-env-shell": ("log-env-missing", 2, "/docker-entrypoint.sh: line 12: API_TOKEN: parameter not set"),
    "log-env-go": ("log-env-missing", 1, "2026/11/21 22:39:30 missing required environment variable REDIS_ADDR"),
    "log-env-postgres": (
        "log-env-missing",
        1,
        (
            "Error: Database is uninitialized and superuser password is not specified.\n"
            "       You must specify POSTGRES_PASSWORD to a non-empty value for the\n"
            '       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".\n'
        ),
    ),
    "log-permission-python": (
        "log-permission-image-path",
        1,
        (
            'Traceback (most recent call last):\n  File "/app/main.py", line 9, in <module>\n'
            "PermissionError: [Errno 13] Permission denied: '/data/state.db'"
        ),
    ),
    "log-permission-nginx": (
        "log-permission-image-path",
        1,
        '2026/11/21 22:39:30 [emerg] 1#1: mkdir() "/var/cache/nginx/client_temp" failed (13: Permission denied)',
    ),
    "log-read-only": ("log-read-only-filesystem", 1, "OSError: [Errno 30] Read-only file system: '/app/cache'"),
    "log-read-only-nginx": (
        "log-read-only-filesystem",
        1,
        '2026/11/21 22:39:30 [emerg] 1#1: mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)',
    ),
    "log-no-space-left": ("log-no-space", 1, "dd: error writing '/data/file': No space left on device"),
    "log-shared-memory": (
        "log-shared-memory-small",
        1,
        'ERROR:  could not resize shared memory segment "/PostgreSQL.12" to 16777216 bytes: No space left on device',
    ),
    "log-address-in-use-node": (
        "log-address-in-use",
        1,
        (
            "node:events:495\n      throw er; // Unhandled 'error' event\n      ^\n\n"
            "Error: listen EADDRINUSE: address already in use :::8080\n"
            "    at Server.setupListenHandle [as _listen2] (node:net:1817:16) {\n"
            "  code: 'EADDRINUSE',\n  errno: -98,\n  syscall: 'listen',\n  address: '::',\n  port: 8080\n}"
        ),
    ),
    "log-address-in-use-spring": (
        "log-address-in-use",
        1,
        (
            "***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\n"
            "Web server failed to start. Port 8080 was already in use.\n\nAction:\n\n"
            "Identify and stop the process that's listening on port 8080 or configure this application to listen on another port."
        ),
    ),
    "log-bind-privileged": (
        "log-bind-privileged-port",
        1,
        "2026/11/21 22:39:30 [emerg] 1#1: bind() to 0.0.0.0:80 failed (13: Permission denied)",
    ),
    "log-bind-busybox": ("log-bind-privileged-port", 1, "httpd: bind: Permission denied"),
    "log-dns-python": (
        "log-dns-name",
        1,
        'psycopg2.OperationalError: could not translate host name "pg.example.com" to address: Name or service not known',
    ),
    "log-refused-external": (
        "log-connection-refused",
        1,
        "2026/11/21 22:39:30 dial tcp 192.0.2.77:5432: connect: connection refused",
    ),
    "log-refused-localhost": ("log-connection-refused", 1, "Error: connect ECONNREFUSED 127.0.0.1:6379"),
    "log-timeout-go": (
        "log-connection-timeout",
        1,
        'Get "https://payments.example.com/v1": dial tcp 192.0.2.90:443: i/o timeout',
    ),
    "log-unreachable": (
        "log-host-unreachable",
        1,
        "OSError: [Errno 113] connect to 10.9.0.4:5672 failed: No route to host",
    ),
    "log-reset": (
        "log-connection-reset",
        1,
        "redis: read tcp 10.244.0.7:40112->192.0.2.60:6379: read: connection reset by peer",
    ),
    "log-tls-authority": (
        "log-tls-certificate",
        1,
        'Get "https://vault.example.com/v1/secret": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    ),
    "log-tls-expired": (
        "log-tls-certificate",
        1,
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1002)",
    ),
    "log-postgres-password": (
        "log-database-auth",
        1,
        (
            'psql: error: connection to server at "db" (10.96.7.7), port 5432 failed: FATAL:  '
            'password authentication failed for user "shop"'
        ),
    ),
    "log-mysql-denied": (
        "log-database-auth",
        1,
        "ERROR 1045 (28000): Access denied for user 'shop'@'10.244.0.9' (using password: YES)",
    ),
    "log-http-401": (
        "log-http-unauthorized",
        1,
        "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://api.example.com/v1/orders",
    ),
    "log-database-postgres": ("log-database-missing", 1, 'FATAL:  database "orders" does not exist'),
    "log-relation": ("log-relation-missing", 1, 'ERROR:  relation "customers" does not exist at character 15'),
    "log-sqlite-table": ("log-relation-missing", 1, "sqlite3.OperationalError: no such table: orders"),
    "log-node-heap-full": (
        "log-node-heap",
        134,
        (
            "<--- Last few GCs --->\n\n[1:0x5]    29411 ms: Mark-sweep 253.9 (258.1) -> 253.8 (258.1) MB\n\n"
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"
            " 1: 0xb7a940 node::Abort() [node]\n 2: 0xa8e823  [node]\nAborted (core dumped)"
        ),
    ),
    "log-java-heap-full": (
        "log-java-heap",
        1,
        'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space\n\tat com.shop.Main.load(Main.java:14)',
    ),
    "log-memory-python": ("log-memory-allocation", 1, "Traceback (most recent call last):\nMemoryError"),
    "log-argument-python": (
        "log-unknown-argument",
        2,
        "usage: shop.py [-h] [--port PORT]\nshop.py: error: unrecognized arguments: --prot 8080",
    ),
    "log-argument-go": (
        "log-unknown-argument",
        2,
        'flag provided but not defined: -listen\nUsage of /app/server:\n  -addr string\n    \taddress (default ":8080")',
    ),
    "log-nginx-directive": (
        "log-nginx-config",
        1,
        '2026/11/21 22:39:30 [emerg] 1#1: unknown directive "porxy_pass" in /etc/nginx/conf.d/default.conf:4',
    ),
    "log-config-json": (
        "log-config-invalid",
        1,
        "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 4 column 3 (char 61)",
    ),
    "log-config-yaml": (
        "log-config-invalid",
        1,
        "error: cannot load config file: yaml: line 12: mapping values are not allowed in this context",
    ),
    "log-syntax-shell": (
        "log-code-syntax",
        2,
        '/scripts/start.sh: line 4: syntax error: unexpected end of file (expecting "then")',
    ),
    "log-nil": (
        "log-nil-pointer",
        2,
        (
            "panic: runtime error: invalid memory address or nil pointer dereference\n"
            "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a1b2c]\n\ngoroutine 1 [running]:\n"
            "main.main()\n\t/src/main.go:12 +0x1d"
        ),
    ),
    "log-panic": (
        "log-go-panic",
        2,
        "panic: no shards configured\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:9 +0x65",
    ),
    "log-lock": (
        "log-lock-held",
        1,
        (
            'FATAL:  lock file "postmaster.pid" already exists\n'
            'HINT:  Is another postmaster (PID 1) running in data directory "/var/lib/postgresql/data"?'
        ),
    ),
    "log-command-unknown": ("log-command-not-found", 127, "sh: serve-shop: not found"),
    "log-command-noexec": ("log-command-not-executable", 126, "sh: /scripts/start.sh: Permission denied"),
    "log-cpu": ("log-cpu-unsupported", 127, "Fatal glibc error: CPU does not support x86-64-v2"),
    "log-rbac": (
        "log-rbac-forbidden",
        1,
        (
            "E1121 22:39:30.000000       1 reflector.go:147] Failed to watch *v1.Pod: failed to list *v1.Pod: pods is forbidden: "
            'User "system:serviceaccount:shop:default" cannot list resource "pods" in API group "" in the namespace "shop"'
        ),
    ),
    "log-token-refused": ("log-token-invalid", 1, "error: You must be logged in to the server (Unauthorized)"),
    "log-token-none": (
        "log-token-missing",
        1,
        "panic: open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory",
    ),
    "log-data-lost-found": (
        "log-data-directory",
        1,
        (
            'initdb: error: directory "/var/lib/postgresql/data" exists but is not empty\n'
            "initdb: detail: It contains a lost+found directory, perhaps due to it being a mount point."
        ),
    ),
    "log-uncaught": (
        "log-uncaught-exception",
        1,
        (
            'Traceback (most recent call last):\n  File "/app/main.py", line 30, in <module>\n    main()\n'
            "ValueError: price must be positive"
        ),
    ),
    "log-abort-assertion": (
        "exit-sigabrt",
        134,
        "web: src/queue.c:118: queue_pop: Assertion `q->len > 0' failed.\nAborted (core dumped)",
    ),
    "log-shm-bus-error": (
        "log-shared-memory-small",
        135,
        (
            'ERROR:  could not resize shared memory segment "/PostgreSQL.12" to 134217728 bytes: No space left on device\n'
            "Bus error (core dumped)"
        ),
    ),
    "log-error-before-bye": (
        "log-unknown-argument",
        1,
        (
            'INFO  boot\nERROR Invalid value for --log-level: "verbos" (choose from debug, info, warn)\n'
            "INFO  shutting down\nINFO  bye"
        ),
    ),
    "log-npm-script": (
        "log-unknown-argument",
        1,
        "npm ERR! missing script: start\nnpm ERR! A complete log of this run can be found in: /home/node/.npm/_logs/x.log",
    ),
    "log-bootstrap-checks": (
        "log-node-sysctl",
        78,
        (
            "ERROR: [1] bootstrap checks failed. You must address the points described in the following [1] lines before "
            "starting Elasticsearch.\nbootstrap check failure [1] of [1]: max virtual memory areas vm.max_map_count "
            "[65530] is too low, increase to at least [262144]"
        ),
    ),
    "log-usage": (
        "log-usage-printed",
        2,
        "Usage: shop [OPTIONS] COMMAND\n\nOptions:\n  --help  Show this message\n\nCommands:\n  run\n  migrate",
    ),
    "log-403-then-gives-up": (
        "log-http-unauthorized",
        1,
        "GET https://api.example.com/repos/x: 403 Forbidden rate limit exceeded\nfatal: giving up after 5 tries",
    ),
    "log-yaml-place": (
        "log-config-invalid",
        1,
        (
            "yaml.scanner.ScannerError: while scanning for the next token\nfound character '\\t' that cannot start any token\n"
            '  in "/etc/app/config.yml", line 4, column 1'
        ),
    ),
    "log-dns-timeout": (
        "log-dns-silent",
        1,
        "dial tcp: lookup db.example.org on 10.96.0.10:53: read udp 10.244.0.9:41000->10.96.0.10:53: i/o timeout",
    ),
    "log-dns-again": (
        "log-dns-unsure",
        1,
        "socket.gaierror: [Errno -3] Temporary failure in name resolution: db.example.org",
    ),
    "log-lock-badger": (
        "log-lock-held",
        1,
        (
            'cannot open /data/badger: Cannot acquire directory lock on "/data/badger".  Another process is using this '
            "Badger database.: resource temporarily unavailable"
        ),
    ),
    "log-lock-liquibase": (
        "log-migration-lock",
        1,
        (
            "liquibase.exception.LockException: Could not acquire change log lock.  Currently locked by web-5d9 "
            "(10.244.0.9) since 11/21/26"
        ),
    ),
    "log-timeout-java": (
        "log-connection-timeout",
        1,
        "java.net.SocketTimeoutException: connect timed out: payments.example.org/192.0.2.4:8443",
    ),
    "log-timeout-nameless": ("log-connection-timeout", 1, "TimeoutError: [Errno 110] Connection timed out"),
    "log-bind-high-port": ("log-bind-denied", 1, "FATAL listen tcp :15001: bind: permission denied"),
    "log-credentials-aws": (
        "log-credentials-missing",
        1,
        "botocore.exceptions.NoCredentialsError: Unable to locate credentials",
    ),
    "log-token-list": ("log-token-invalid", 1, "E1122 00:30:00.2 1 main.go:31] failed to list pods: Unauthorized"),
    "log-iptables": (
        "log-capability-missing",
        1,
        "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)",
    ),
    "log-chown": (
        "log-capability-missing",
        1,
        "chown: changing ownership of '/var/lib/mysql': Operation not permitted",
    ),
    "log-crd": ("log-crd-missing", 1, 'no matches for kind "Widget" in version "example.com/v1"'),
    "log-service-link": (
        "log-service-link-variable",
        1,
        'strconv.ParseInt: parsing "tcp://10.96.44.2:8080": invalid syntax (REDIS_PORT)',
    ),
    "log-inotify": (
        "log-inotify-exhausted",
        1,
        "failed to create fsnotify watcher: inotify_init1: too many open files",
    ),
    "log-many-files": (
        "start-log-limits-exhausted",
        1,
        "accept tcp [::]:8080: accept4: too many open files",
    ),
    "log-unknown": ("exit-error", 3, "loading catalogue\nshop ended: the catalogue has no entries"),
}


def _signature(name: str) -> Incident:
    rule, code, log = SIGNATURES[name]
    first = next(line for line in reversed(log.splitlines()) if line.strip())
    return crashed(f"crash loop whose log says: {first[:80]}", rule, code, log)


for _name in SIGNATURES:
    INCIDENTS[_name] = lambda name=_name: _signature(name)  # type: ignore[misc]
