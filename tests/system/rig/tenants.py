"""A folder of tenants, for one node or for several, and who is connected as whose."""

import json
import os


class Folder:
    """tenants_dir of a configuration."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path, exist_ok=True)

    def file(self, tenant):
        return os.path.join(self.path, tenant + ".json")

    def write(self, tenant, *members, **more):
        """The tenant's file, as a whole: its member rules, and what else there is."""
        self.write_text(tenant, json.dumps({"members": list(members), **more}, indent=2))

    def write_text(self, tenant, text):
        with open(self.file(tenant) + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.file(tenant) + ".new", self.file(tenant))

    def read(self, tenant):
        with open(self.file(tenant), encoding="utf-8") as f:
            return f.read()

    def remove(self, tenant):
        os.unlink(self.file(tenant))


def shown(node, tenant=None):
    """What the node says of its tenants {id: ...}, or of one."""
    code, text = node.get("/tenants" + (f"?id={tenant}" if tenant else ""))
    assert code == 200, (code, text)
    rows = {row["id"]: row for row in json.loads(text)["tenants"]}
    return rows[tenant] if tenant else rows
