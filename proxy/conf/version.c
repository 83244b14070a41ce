/* Asks libyaml for its version; its headers do not name one. */
#include "conf/version.h"

#include <yaml.h>

void conf_versions(struct library out[CONF_LIBRARIES])
{
    out[0] = (struct library){"libyaml", "", yaml_get_version_string(), NULL};
}
